package badger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/pb"
	"google.golang.org/protobuf/proto"

	"coffer/store"
	"coffer/store/folder"
)

// readManifest returns what the manifest says there is.
func readManifest(path string) (badger.Manifest, error) {
	file, err := os.Open(path)
	if err != nil {
		return badger.Manifest{}, folder.FileError(err)
	}
	defer file.Close()
	manifest, _, err := replayManifest(file)
	if err != nil {
		return manifest, fmt.Errorf("%w: %s: %w", store.ErrCorrupt, path, err)
	}
	return manifest, nil
}

// replayManifest reads a manifest, and says where what is whole in it ends.
func replayManifest(file *os.File) (m badger.Manifest, size int64, err error) {
	// Badger only warns of a table that goes and never came.
	warned := new(warnings)
	opt := badger.DefaultOptions("")
	opt.Logger = warned
	m, size, err = badger.ReplayManifestFile(file, 0, opt)
	if err == nil {
		err = warned.last()
	}
	return m, size, err
}

// warnings is a logger that remembers the last warning too.
type warnings struct{ errorLog }

func (w *warnings) Warningf(format string, args ...any) { w.Errorf(format, args...) }

// manifestMagic begins a manifest: Badger's name, two bytes for others, and the
// version.
var manifestMagic = []byte{'B', 'd', 'g', 'r', 0, 0, 0, 8}

// writeManifest puts a manifest in place that names tables, each with its level.
func writeManifest(dir string, levels map[uint64]uint8) error {
	var set pb.ManifestChangeSet
	for id, level := range levels {
		set.Changes = append(set.Changes, &pb.ManifestChange{
			Id: id, Level: uint32(level),
			Op:             pb.ManifestChange_CREATE,
			EncryptionAlgo: pb.EncryptionAlgo_aes, // with the key 0, which is none
		})
	}
	changes, err := proto.Marshal(&set)
	if err != nil {
		return err
	}
	out := binary.BigEndian.AppendUint32(append([]byte{}, manifestMagic...), uint32(len(changes)))
	out = binary.BigEndian.AppendUint32(out, crc32.Checksum(changes, castagnoli))
	out = append(out, changes...)
	path := filepath.Join(dir, badger.ManifestFilename)
	next := path + "-NEXT"
	file, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(out)
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(next, path)
	}
	if err != nil {
		os.Remove(next)
		return err
	}
	return folder.Sync(dir)
}
