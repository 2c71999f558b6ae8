// Checks what we made with Go's own code for its checksum database, and makes what we check.
//
// In the directory that is named: leaves (hex, a line each), roots of all sizes, proofs, notes, and tiles as files. Out come the
// same proofs and notes as Go makes them.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"peer/note"
	"peer/tlog"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(holds bool, format string, args ...any) {
	if !holds {
		must(fmt.Errorf(format, args...))
	}
}

func lines(dir, name string) []string {
	data, err := os.ReadFile(filepath.Join(dir, name))
	must(err)
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
}

func hash(text string) (h tlog.Hash) {
	data, err := hex.DecodeString(text)
	must(err)
	check(len(data) == 32, "%q is no hash", text)
	copy(h[:], data)
	return h
}

func hashes(words []string) (all []tlog.Hash) {
	for _, word := range words {
		all = append(all, hash(word))
	}
	return all
}

// The tree as Go keeps it.
type store []tlog.Hash

func (s *store) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var all []tlog.Hash
	for _, index := range indexes {
		all = append(all, (*s)[index])
	}
	return all, nil
}

// Our tiles, which lie where C2SP says: Go's paths name the height too.
type tiles struct{ dir string }

func (t tiles) Height() int { return 8 }

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range wanted {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		data, err := os.ReadFile(filepath.Join(t.dir, path))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func proofs(dir, name string, each func(size, at int64, proof []tlog.Hash)) {
	for _, line := range lines(dir, name) {
		words := strings.Fields(line)
		var size, at int64
		_, err := fmt.Sscan(words[0]+" "+words[1], &size, &at)
		must(err)
		each(size, at, hashes(words[2:]))
	}
}

func main() {
	dir := os.Args[1]
	var kept store
	var leaves []tlog.Hash
	for n, line := range lines(dir, "leaves") {
		data, err := hex.DecodeString(line)
		must(err)
		more, err := tlog.StoredHashes(int64(n), data, &kept)
		must(err)
		kept = append(kept, more...)
		leaves = append(leaves, tlog.RecordHash(data))
	}
	roots := hashes(lines(dir, "roots"))
	for size := range roots {
		if size > 0 {
			root, err := tlog.TreeHash(int64(size), &kept)
			must(err)
			check(root == roots[size], "the root of size %d", size)
		}
	}
	proofs(dir, "inclusion", func(size, at int64, proof []tlog.Hash) {
		must(tlog.CheckRecord(proof, size, roots[size], at, leaves[at]))
	})
	proofs(dir, "consistency", func(size, at int64, proof []tlog.Hash) {
		must(tlog.CheckTree(proof, size, roots[size], at, roots[at]))
	})
	key := lines(dir, "key")[0]
	verifier, err := note.NewVerifier(key)
	must(err)
	for size, line := range lines(dir, "notes") {
		text, err := base64.StdEncoding.DecodeString(line)
		must(err)
		opened, err := note.Open(text, note.VerifierList(verifier))
		must(err)
		want := fmt.Sprintf("%s\n%d\n%s\n", verifier.Name(), size, roots[size])
		check(opened.Text == want, "the note of size %d says %q", size, opened.Text)
	}
	for _, line := range lines(dir, "tiled") {
		var size int64
		var root string
		_, err := fmt.Sscan(line, &size, &root)
		must(err)
		tree := tlog.Tree{N: size, Hash: hash(root)}
		reader := tlog.TileHashReader(tree, tiles{filepath.Join(dir, fmt.Sprint(size))})
		for _, at := range []int64{0, size / 3, size - 1} {
			proof, err := tlog.ProveRecord(size, at, reader)
			must(err)
			_ = proof
		}
	}
	answer(dir, &kept, int64(len(leaves)), roots)
}

// What Go makes of the same leaves.
func answer(dir string, kept *store, count int64, roots []tlog.Hash) {
	file, err := os.Create(filepath.Join(dir, "answer"))
	must(err)
	out := bufio.NewWriter(file)
	line := func(kind string, size, at int64, proof []tlog.Hash) {
		fmt.Fprint(out, kind, " ", size, " ", at)
		for _, one := range proof {
			fmt.Fprint(out, " ", hex.EncodeToString(one[:]))
		}
		fmt.Fprintln(out)
	}
	for size := int64(1); size <= count; size++ {
		for at := int64(0); at < size; at++ {
			if size > 64 && at%7 != size%7 && at >= 2 && at+2 < size {
				continue
			}
			proof, err := tlog.ProveRecord(size, at, kept)
			must(err)
			line("inclusion", size, at, proof)
			tree, err := tlog.ProveTree(size, at+1, kept)
			must(err)
			line("consistency", size, at+1, tree)
		}
	}
	secret, public, err := note.GenerateKey(nil, "peer.example/log")
	must(err)
	signer, err := note.NewSigner(secret)
	must(err)
	text := fmt.Sprintf("peer.example/log\n%d\n%s\n", count, roots[count])
	signed, err := note.Sign(&note.Note{Text: text}, signer)
	must(err)
	fmt.Fprintln(out, "key", public)
	fmt.Fprintln(out, "note", base64.StdEncoding.EncodeToString(signed))
	must(out.Flush())
	must(file.Close())
}
