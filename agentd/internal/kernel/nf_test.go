// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mbchain/genl"
	"mbchain/genl/genlfake"
)

func TestParseNF(t *testing.T) {
	const usage = "want inline, none, tap:DEVICE or redirect:IN,OUT"
	tests := []struct {
		text string
		want genl.NF
		err  string
	}{
		{text: "inline", want: genl.NF{Mode: genl.NFInline}},
		{text: "none", want: genl.NF{Mode: genl.NFNone}},
		{text: "tap:ids0", want: genl.NF{Mode: genl.NFTap, Devices: []string{"ids0"}}},
		{text: "redirect:nf-in,nf-out.100", want: genl.NF{Mode: genl.NFRedirect, Devices: []string{"nf-in", "nf-out.100"}}},
		{text: "", err: usage},
		{text: "Inline", err: usage},
		{text: "inline:", err: usage},
		{text: "none:eth0", err: usage},
		{text: "tap", err: usage},
		{text: "tap:a,b", err: usage},
		{text: "redirect", err: usage},
		{text: "redirect:a", err: usage},
		{text: "redirect:a,b,c", err: usage},
		{text: "tap:", err: `"" is not the name of a network device; ip link lists them`},
		{text: "tap:..", err: `".." is not the name of a network device; ip link lists them`},
		{text: "tap:a:b", err: `"a:b" is not the name of a network device; ip link lists them`},
		{text: "tap:sixteen-letters-", err: `"sixteen-letters-" is not the name of a network device; ip link lists them`},
		{text: "redirect:a, b", err: `" b" is not the name of a network device; ip link lists them`},
		{text: "redirect:a,a", err: "device a twice: packets go in by one and out by another"},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			nf, err := ParseNF(test.text)
			if test.err != "" {
				if err == nil || err.Error() != test.err {
					t.Errorf("error %v, want %s", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if nf.String() != test.text {
				t.Errorf("reads back as %v", nf)
			}
			if nf != nfOf(test.want) {
				t.Errorf("is %v, want %v", nf, nfOf(test.want))
			}
		})
	}
}

func parsed(t *testing.T, text string) NF {
	t.Helper()
	nf, err := ParseNF(text)
	if err != nil {
		t.Fatal(err)
	}
	return nf
}

func TestSetNFIsWhatInfoSays(t *testing.T) {
	k, module := start(t)
	module.SetDevices("ids0", "nf-in", "nf-out")
	for _, text := range []string{"none", "tap:ids0", "redirect:nf-in,nf-out", "inline"} {
		want := parsed(t, text)
		if err := k.SetNF(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		info, err := k.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if info.NF != want {
			t.Errorf("the module says %v, want %v", info.NF, want)
		}
	}
	if diff := cmp.Diff(genl.NF{}, module.NF()); diff != "" {
		t.Errorf("in the module (-want +got):\n%s", diff)
	}
}

func TestADeviceThatIsGoneLeavesItsPlaceEmpty(t *testing.T) {
	k, module := start(t)
	module.SetDevices("nf-in", "nf-out")
	if err := k.SetNF(t.Context(), parsed(t, "redirect:nf-in,nf-out")); err != nil {
		t.Fatal(err)
	}
	module.SetDevices("nf-in")
	info, err := k.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := info.NF.String(); got != "redirect:nf-in," {
		t.Errorf("the NF is %s", got)
	}
}

func TestSetNFNamesTheDeviceThatIsMissing(t *testing.T) {
	k, module := start(t)
	tests := []struct{ nf, want string }{
		{"tap:mbc-no-such", "set NF: no such device: mbc-no-such"},
		{"redirect:lo,mbc-no-such", "set NF: no such device: mbc-no-such"},
	}
	for _, test := range tests {
		err := k.SetNF(t.Context(), parsed(t, test.nf))
		if err == nil || err.Error() != test.want {
			t.Errorf("set %s: %v, want %s", test.nf, err, test.want)
		}
	}
	module.Refuse(genlfake.SetNF, syscall.EINVAL, "not an Ethernet device")
	err := k.SetNF(t.Context(), parsed(t, "tap:lo"))
	if want := "set NF: invalid: not an Ethernet device"; err == nil || err.Error() != want {
		t.Errorf("set tap:lo: %v, want %s", err, want)
	}
	if diff := cmp.Diff(genl.NF{}, module.NF()); diff != "" {
		t.Errorf("in the module (-want +got):\n%s", diff)
	}
}
