package badger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/dgraph-io/badger/v4"
	badgeroptions "github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/ristretto/v2/z"
	"golang.org/x/sys/unix"

	"coffer/store"
)

// examineFolder makes sure that Badger can open what is in dir, and returns
// how many tables there are in level 0.
//
// Badger would delete all tables that the manifest does not name, whoever
// lost it, and it opens tables in goroutines in which a damaged one would
// panic or exit. Tables keep their summary at their end, so that reading it
// twice costs little.
func examineFolder(dir string) (levelZero int, err error) {
	path := filepath.Join(dir, badger.ManifestFilename)
	file, err := os.Open(path)
	if isMissing(err) {
		return 0, checkFresh(dir)
	}
	if err != nil {
		return 0, fileError(err)
	}
	defer file.Close()
	manifest, _, err := badger.ReplayManifestFile(file, 0, badger.DefaultOptions(dir))
	if err != nil {
		return 0, fmt.Errorf("%w: %s: %w", store.ErrCorrupt, path, err)
	}
	for id := range manifest.Tables {
		if err := examineTable(table.NewFilename(id, dir)); err != nil {
			return 0, err
		}
	}
	if len(manifest.Levels) > 0 {
		levelZero = len(manifest.Levels[0].Tables)
	}
	return levelZero, nil
}

// checkFresh refuses a folder in which a store has been.
func checkFresh(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fileError(err)
	}
	for _, e := range entries {
		if slices.Contains([]string{".sst", ".mem"}, filepath.Ext(e.Name())) {
			return fmt.Errorf("%w: %s has %s but no %s", store.ErrCorrupt, dir, e.Name(), badger.ManifestFilename)
		}
	}
	return nil
}

func examineTable(path string) (err error) {
	defer faults()()
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%w: %s: unreadable table", store.ErrCorrupt, path)
		}
	}()
	file, err := z.OpenMmapFile(path, os.O_RDONLY, 0)
	switch {
	case err == nil:
		defer file.Close(-1)
	case isMissing(err):
		return fmt.Errorf("%w: %s is missing", store.ErrCorrupt, path)
	case errors.Is(err, unix.EINVAL): // cannot map an empty file
		return fmt.Errorf("%w: %s is empty", store.ErrCorrupt, path)
	default:
		return fileError(err)
	}
	_, err = table.OpenTable(file, table.Options{
		ReadOnly: true,
		ChkMode:  badgeroptions.OnBlockRead,
	})
	if err != nil {
		return fmt.Errorf("%w: %s: %w", store.ErrCorrupt, path, err)
	}
	return nil
}

// inheritMode sees to it that files made in dir are for their owner alone,
// whatever the mode that Badger asks for and the umask: a default access
// control list does that, where the file system has them. The umask itself
// is the host's, and every thread's at once.
func inheritMode(dir string) {
	const (
		version                     = 2
		user, group, other          = 0x01, 0x04, 0x20
		readWriteExecute, undefined = 7, 0xffffffff
	)
	acl := binary.LittleEndian.AppendUint32(nil, version)
	for _, e := range []struct{ tag, perm uint16 }{{user, readWriteExecute}, {group, 0}, {other, 0}} {
		acl = binary.LittleEndian.AppendUint16(acl, e.tag)
		acl = binary.LittleEndian.AppendUint16(acl, e.perm)
		acl = binary.LittleEndian.AppendUint32(acl, undefined)
	}
	// If it fails, the folder's own mode still shuts everyone out, and
	// restrictFiles catches up.
	_ = unix.Setxattr(dir, "system.posix_acl_default", acl, 0)
}

// restrictFiles takes the files of dir from everyone but their owner.
func restrictFiles(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fileError(err)
	}
	for _, e := range entries {
		if !ownFile(e.Name()) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		info, err := os.Lstat(path)
		if err == nil && info.Mode().IsRegular() && info.Mode().Perm() != 0o600 {
			err = os.Chmod(path, 0o600)
		}
		// Badger removes files when it has no more use for them.
		if err != nil && !isMissing(err) {
			return fileError(err)
		}
	}
	return nil
}

// ownFile reports whether a file of that name is ours. There can be others in
// the folder: a socket, or whatever the user has put there.
func ownFile(name string) bool {
	switch name {
	case lockFile, badger.ManifestFilename, badger.KeyRegistryFileName, "DISCARD":
		return true
	}
	return slices.Contains([]string{".sst", ".mem", ".vlog"}, filepath.Ext(name))
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// room returns ErrFull if the file system has less than need bytes left.
func (s *Store) room(need int64) error {
	var st unix.Statfs_t
	if err := unix.Statfs(s.dir, &st); err != nil {
		return fmt.Errorf("%w: %s: %w", store.ErrFailed, s.dir, err)
	}
	if free := int64(st.Bavail) * st.Bsize; free < need {
		return fmt.Errorf("%w: %s has %d KiB free, and %d KiB must be",
			store.ErrFull, s.dir, free>>10, need>>10)
	}
	return nil
}
