package seal

// CheckPIN reports what is wrong with a PIN record by its outside:
// CKR_DEVICE_ERROR for what is not a record of this role. That a record is
// whole shows only when the PIN opens it.
func CheckPIN(role Role, record []byte) error {
	_, err := parsePIN(role, record)
	return err
}
