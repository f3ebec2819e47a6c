// SPDX-License-Identifier: Apache-2.0

package imports

// module is the path in go.mod.
const module = "mbchain"

// topDirs are the directories that may stand at the top of the checkout.
// Those of unversioned output are skipped altogether.
var (
	topDirs = []string{
		".ci", "LICENSES", "agentd", "chain", "docs", "genl", "identity", "kmod", "manual", "mbctl", "monitor",
		"packaging", "policy", "policyd", "proto", "tests", "unixsocket",
	}
	outputDirs = []string{".git", ".tmp_versions", "bin", "build"}
)

// A boundary says what the packages below a directory may import. Paths are
// relative to the module; a path stands for itself and everything below it.
type boundary struct {
	dir    string
	except string   // below dir, not bound by this boundary
	only   []string // the only packages of the module; nil: any
	never  []string
	why    string
}

var boundaries = []boundary{
	{dir: "chain", only: []string{"chain"}, why: "chain is the vocabulary and needs nobody"},
	{dir: "policy", only: []string{"policy", "chain"}, why: "a leaf imports only chain"},
	{dir: "genl", only: []string{"genl", "chain"}, why: "a leaf imports only chain"},
	{dir: "identity", except: "identity/enroll", only: []string{"identity", "chain", "proto"}, why: "a leaf imports only chain; its tests look at proto"},
	{dir: "identity/enroll", only: []string{"identity", "proto"}, why: "it asks policyd, and knows no program"},
	{dir: "proto", only: []string{"proto"}, why: "proto imports nothing of ours"},
	{dir: "unixsocket", only: []string{"unixsocket"}, why: "it imports nothing of ours"},
	{dir: "manual", only: []string{"manual"}, why: "it knows no program"},
	{dir: "monitor", only: []string{"monitor", "unixsocket"}, why: "monitor knows no program"},
	{dir: "policyd", never: []string{"genl", "agentd", "mbctl"}, why: "policyd has no kernel module below it"},
	{dir: "agentd", except: "agentd/internal/kernel", never: []string{"genl"}, why: "only agentd/internal/kernel speaks to the module"},
	{dir: "agentd", never: []string{"policyd", "mbctl"}, why: "programs meet over proto"},
	{dir: "mbctl", never: []string{"policyd", "agentd"}, why: "programs meet over proto"},
}

// stdlibOnly are directories whose packages import the standard library and
// nothing else.
var stdlibOnly = []string{"chain"}

// pure are the packages with no I/O, clock or randomness: what they do follows
// from their arguments alone. Those that do not exist yet are listed so that
// they are born pure. Their tests are free.
var pure = []string{
	"chain",
	"policy",
	"agentd/internal/lock",
	"agentd/internal/migrate",
	"agentd/internal/session",
	"agentd/internal/subpolicy",
	"policyd/internal/health",
	"policyd/internal/plan",
	"policyd/internal/rotate",
	"policyd/internal/store",
}

// impure are the packages a pure one must not import.
var impure = map[string]string{
	"crypto/rand":  "is a source of randomness",
	"io/ioutil":    "does I/O",
	"log":          "does I/O",
	"log/slog":     "does I/O",
	"math/rand":    "is a source of randomness",
	"math/rand/v2": "is a source of randomness",
	"net":          "does I/O",
	"net/http":     "does I/O",
	"os":           "does I/O",
	"os/exec":      "does I/O",
	"os/signal":    "does I/O",
	"syscall":      "does I/O",
}

// clock are the functions of package time that a pure package must not use;
// its types and constants are welcome.
var clock = []string{
	"After", "AfterFunc", "NewTicker", "NewTimer", "Now", "Since", "Sleep",
	"Tick", "Until",
}

// licences says what the files below a path carry; the longest path wins.
// The expression's parts are the names of the texts in LICENSES.
var licences = map[string]string{
	"":            "Apache-2.0",
	"kmod":        "GPL-2.0-only",
	"kmod/uapi":   "(GPL-2.0 WITH Linux-syscall-note) OR MIT",
	"tests/kcore": "GPL-2.0-only",
}

// cLicence is what C outside kmod carries: it is compiled together with kmod.
const cLicence = "GPL-2.0-only"

// licenceTexts are the files that LICENSES must hold.
var licenceTexts = []string{
	"Apache-2.0.txt", "GPL-2.0-only.txt", "Linux-syscall-note.txt", "MIT.txt",
}

// sourceSuffixes are the files that need an SPDX line near their top; so do
// files that begin with "#!" and those named in sourceNames.
var (
	sourceSuffixes = []string{".c", ".go", ".h", ".pml", ".proto", ".py", ".sh"}
	sourceNames    = []string{"Kbuild", "Makefile"}
)

// spdxLines is how far from the top the SPDX line may stand: an interpreter
// and a generator's note may come first.
const spdxLines = 3
