// SPDX-License-Identifier: Apache-2.0

package chain_test

import (
	"fmt"

	"mbchain/chain"
)

func ExampleParseFiveTuple() {
	t, err := chain.ParseFiveTuple("tcp 10.0.0.1:40000 10.0.0.4:80")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(t)
	fmt.Println(t.Reverse())
	// Output:
	// 10.0.0.1:40000 > 10.0.0.4:80 tcp
	// 10.0.0.4:80 > 10.0.0.1:40000 tcp
}

func ExampleSessionID_Short() {
	id, err := chain.ParseSessionID("3fa201bcff000000000000000000000a")
	if err != nil {
		fmt.Println(err)
		return
	}
	prefix, err := chain.ParseIDPrefix(id.Short())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(id.Short(), id.HasPrefix(prefix))
	// Output: 3fa201bc true
}
