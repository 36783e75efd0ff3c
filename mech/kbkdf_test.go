package mech_test

import (
	"bytes"
	"testing"

	"coffer/mech"
	"coffer/p11"
)

// Fields of the functions' input.
func fixed(b []byte) p11.KBKDFData {
	return p11.KBKDFData{Type: p11.CK_SP800_108_BYTE_ARRAY, Bytes: b}
}

func number(typ, width uint64) p11.KBKDFData {
	return p11.KBKDFData{Type: typ, Formatted: true, WidthBits: width, LengthMethod: p11.CK_SP800_108_DKM_LENGTH_SUM_OF_KEYS}
}

var iteration = p11.KBKDFData{Type: p11.CK_SP800_108_ITERATION_VARIABLE}

// testKBKDFCounter has vectors of NIST's CAVP (KDFCTR_gen, CMAC_AES128, the
// counter before the fixed data), and OpenSSL 3.0 with HMAC and the length
// behind.
func testKBKDFCounter(t *testing.T, m *mech.Mechanism) {
	for _, v := range []struct {
		width            uint64
		key, input, want string
	}{
		{8, "dff1e50ac0b69dc40f1051d46c2b069c", "c16e6e02c5a3dcc8d78b9ac1306877761310455b4e41469951d9e6c2245a064b33fd8c3b01203a7824485bf0a64060c4648b707d2607935699316ea5", "8be8f0869b3c0ba97b71863d1b9f7813"},
		{8, "bb31eef5a2ca3bfb342c5800fee67313", "f85ae18f15ce1a5e036d6e3fd227243a9863f88ef532ce1da810b6639c0928f9b99fe909487d3748cff857cdb790f89e09d8c634dccb616cf7a2663a", "8923d38effde99e24f67dec9330c4f1b874fc382ad644140e73a8e406f405d3fe4b4730b7291275a"},
		{16, "145c9e9365041f075ebde8ce26aa2149", "0d39b1c9c34d95b5b521971828c81d9f2dbdbc4af2ddd14f628721117e5c39faa030522b93cc07beb8f142fe36f674942453ec5518ca46c3e6842a73", "8a204ce7eab882fae3e2b8317fe431dba16dabb8fe5235525e7b61135e1b3c16"},
	} {
		p := p11.KBKDFParams{PRF: p11.CKM_AES_CMAC, Data: []p11.KBKDFData{number(p11.CK_SP800_108_ITERATION_VARIABLE, v.width), fixed(unhex(v.input))}}
		checkDerives(t, m, testKey{p11.CKK_AES, unhex(v.key)}, p, len(v.want)/2, unhex(v.want))
	}
	key := unhex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	want := unhex("c5115a8e2c9cf655fabbfecbe725e440a9838838f5b46130c654f368f780edd650d532c0fdeb6a35")
	p := p11.KBKDFParams{PRF: p11.CKM_SHA256_HMAC, Data: []p11.KBKDFData{
		number(p11.CK_SP800_108_ITERATION_VARIABLE, 32), fixed([]byte("label")), fixed([]byte{0}), fixed([]byte("context")), number(p11.CK_SP800_108_DKM_LENGTH, 32),
	}}
	checkDerives(t, m, secret(key), p, 40, want)
	checkDerives(t, m, testKey{p11.CKK_SHA256_HMAC, key}, p, 40, want)

	// A key among the data counts as its bytes.
	p.Data[3] = p11.KBKDFData{Type: p11.CK_SP800_108_KEY_HANDLE, Key: 7}
	checkDerives(t, m, secret(key), p, 40, want, secret([]byte("context")))

	// A length in segments, and least significant byte first.
	segments := number(p11.CK_SP800_108_DKM_LENGTH, 16)
	segments.LengthMethod, segments.LittleEndian = p11.CK_SP800_108_DKM_LENGTH_SUM_OF_SEGMENTS, true
	p.Data[4] = segments
	got, err := deriveFrom(m, secret(key), p, 40, secret([]byte("context")))
	if err != nil {
		t.Fatal(err)
	}
	p.Data[4] = fixed([]byte{0x00, 0x02}) // 512 bits, though 320 were asked for
	checkDerives(t, m, secret(key), p, 40, got.Values.Bytes(p11.CKA_VALUE), secret([]byte("context")))

	for name, c := range map[string]struct {
		key  mech.Key
		p    p11.KBKDFParams
		n    int
		want p11.RV
	}{
		"a counter of 8 bits that overflows":    {secret(key), p11.KBKDFParams{PRF: p11.CKM_SHA256_HMAC, Data: []p11.KBKDFData{number(p11.CK_SP800_108_ITERATION_VARIABLE, 8)}}, 255*32 + 1, p11.CKR_KEY_SIZE_RANGE},
		"further keys":                          {secret(key), p11.KBKDFParams{PRF: p11.CKM_SHA256_HMAC, Data: p.Data[:1], Additional: 1}, 16, p11.CKR_MECHANISM_PARAM_INVALID},
		"no iteration variable":                 {secret(key), p11.KBKDFParams{PRF: p11.CKM_SHA256_HMAC, Data: p.Data[1:2]}, 16, p11.CKR_MECHANISM_PARAM_INVALID},
		"an AES key for HMAC":                   {testKey{p11.CKK_AES, key}, p11.KBKDFParams{PRF: p11.CKM_SHA256_HMAC, Data: p.Data[:1]}, 16, p11.CKR_KEY_TYPE_INCONSISTENT},
		"a generic secret for CMAC":             {secret(key), p11.KBKDFParams{PRF: p11.CKM_AES_CMAC, Data: p.Data[:1]}, 16, p11.CKR_KEY_TYPE_INCONSISTENT},
		"a key of another hash":                 {testKey{p11.CKK_SHA512_HMAC, key}, p11.KBKDFParams{PRF: p11.CKM_SHA256_HMAC, Data: p.Data[:1]}, 16, p11.CKR_KEY_TYPE_INCONSISTENT},
		"a digest for a pseudo-random function": {secret(key), p11.KBKDFParams{PRF: p11.CKM_SHA256, Data: p.Data[:1]}, 16, p11.CKR_MECHANISM_PARAM_INVALID},
	} {
		if _, err := deriveFrom(m, c.key, c.p, c.n); p11.Code(err) != c.want {
			t.Errorf("%s: %v; want %v", name, err, c.want)
		}
	}
	last := p11.KBKDFParams{PRF: p11.CKM_SHA256_HMAC, Data: []p11.KBKDFData{number(p11.CK_SP800_108_ITERATION_VARIABLE, 8)}}
	if _, err := deriveFrom(m, secret(key), last, 255*32); err != nil {
		t.Errorf("the last block that 8 bits count: %v", err)
	}
}

// testKBKDFFeedback has vectors of NIST's CAVP (KDFFeedback_gen, CMAC_AES128:
// without a counter, with one before and behind the iteration variable and
// behind the fixed data), and OpenSSL 3.0 with HMAC.
func testKBKDFFeedback(t *testing.T, m *mech.Mechanism) {
	counter := number(p11.CK_SP800_108_COUNTER, 32)
	for _, v := range []struct {
		order                func(input p11.KBKDFData) []p11.KBKDFData
		key, iv, input, want string
	}{
		{
			func(in p11.KBKDFData) []p11.KBKDFData { return []p11.KBKDFData{iteration, in} },
			"5c996c922f65de97d4408373229814c6", "28dc945cb8337ab5336c3e9b5bad21c7",
			"62afe5fed91e797221a854336b0aadd8a05ad0e3c8345729897b2efcec5a1178a2fa4c063007b67a7015e0d6b7271ea8d86b44",
			"88a9aae193abdd3fe8143bab66014ae41dc2d12ea9d08f5871588fc5d827924eb9942989d7a36d4b3b107997566472cad5942bd13cb5cff32b9dae30f1bb6300",
		},
		{
			func(in p11.KBKDFData) []p11.KBKDFData { return []p11.KBKDFData{iteration, in} },
			"3a139e1aa922d3373b2674e303a6cc59", "",
			"4d91720a2cff429fc1c0b79e845c5029b3c9535935cbeee5808dea82b8453ffcbed8f54e44500fd82ded679f843c569297ed82",
			"2c9b849dc36efc1aff45030cf2288eba71faf176172a2688576605bc5f4f66a95850b096c2f9a4416eb743f8d14f8ba4cffbdc3174f63ca861765dc8f5dab59a",
		},
		{
			func(in p11.KBKDFData) []p11.KBKDFData { return []p11.KBKDFData{counter, iteration, in} },
			"fc126023dfc9fb6cd56fc5602c05657c", "a736f838049448e04845b6b0ec2d6f63",
			"8068d7b98b8c4528ae8555ab5ae67c71a92b664245ec7d333b22479c5072421e7239761494e45eff09297737a1bb2c39fe9f1f",
			"b9824ad55e6913151a3f736f5fd6bf0807e1acb8c7ed0082df138ba1cc0e6db3c667c8abae707cdf920f48bf77765437407b564333796c037b0378f8f431114c",
		},
		{
			func(in p11.KBKDFData) []p11.KBKDFData { return []p11.KBKDFData{iteration, counter, in} },
			"607a069650470c92021850add7506fed", "bcc557c72df7ed5163e39bf201d2354f",
			"d465d19beb40b57d51eb30f9b8170f33a07ffbf03e41b6ade6338cb85d75b910bc0af62e3a228bacaf68eb099d1d315ce09395",
			"d5741964649e1a4f825493f933cdc02a8edb6001a3986050cf7511184e4794cdec967e631d5b323f39315bf4bd2c45b692d632dfb6bdb86d509845fe63df550d",
		},
		{
			func(in p11.KBKDFData) []p11.KBKDFData { return []p11.KBKDFData{iteration, in, counter} },
			"1edbd1bb1ff8abda4cb51d656ac83405", "0b847773cd50a9984653a8d7bffe41e1",
			"a74a8c3b5b6c504f1b72b0f22ed380de8eff38f541d0991dd2f54c2259a2ea9e6907a3528e6fd5591aff710685308adc97d423",
			"f6f3c5a17ef294e1818e5a4a7b3194f728fb65befba2083ca8ba0a2585db4c08f8f5a5e0b4f94fb3cf640255277cddf628542693debf34ec1f7d2d1612c233be",
		},
	} {
		p := p11.KBKDFFeedbackParams{KBKDFParams: p11.KBKDFParams{PRF: p11.CKM_AES_CMAC, Data: v.order(fixed(unhex(v.input)))}, IV: unhex(v.iv)}
		checkDerives(t, m, testKey{p11.CKK_AES, unhex(v.key)}, p, 64, unhex(v.want))
	}
	p := p11.KBKDFFeedbackParams{IV: bytes.Repeat([]byte{0x55}, 64), KBKDFParams: p11.KBKDFParams{PRF: p11.CKM_SHA512_HMAC, Data: []p11.KBKDFData{
		iteration, counter, fixed([]byte("label\x00context")), number(p11.CK_SP800_108_DKM_LENGTH, 32),
	}}}
	checkDerives(t, m, secret(unhex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")), p, 40,
		unhex("559507c5ecf45f0076fcc4c65ea441054cf16c4227251d7f153c9ab72ca89b008afba7fa70e0ef1e"))
}

// testKBKDFPipeline has vectors of NIST's CAVP (KDFDblPipeline_gen, CMAC_AES128).
func testKBKDFPipeline(t *testing.T, m *mech.Mechanism) {
	counter := number(p11.CK_SP800_108_COUNTER, 32)
	for _, v := range []struct {
		order            func(input p11.KBKDFData) []p11.KBKDFData
		key, input, want string
	}{
		{
			func(in p11.KBKDFData) []p11.KBKDFData { return []p11.KBKDFData{iteration, in} },
			"ada2452f1f141a82c7a1b7d3e09ffed1",
			"335660eb265d2044efa06eacd848d3f9f57d219011343318f3a964df4a6fb1bf6cbdee711c7fcbe73b8f257f992e47e8b065af",
			"a73bd29176e38e761222ae07d639181f4b2c555a3b261815cde5d88a67c8b95c58b6b66ea4f10608c6d799b051519fc8e89de00cdc556350a7d966475086f9af",
		},
		{
			func(in p11.KBKDFData) []p11.KBKDFData { return []p11.KBKDFData{in} }, // as the text's sample has it
			"ada2452f1f141a82c7a1b7d3e09ffed1",
			"335660eb265d2044efa06eacd848d3f9f57d219011343318f3a964df4a6fb1bf6cbdee711c7fcbe73b8f257f992e47e8b065af",
			"a73bd29176e38e761222ae07d639181f4b2c555a3b261815cde5d88a67c8b95c58b6b66ea4f10608c6d799b051519fc8e89de00cdc556350a7d966475086f9af",
		},
		{
			func(in p11.KBKDFData) []p11.KBKDFData { return []p11.KBKDFData{counter, iteration, in} },
			"f862c0f1fbec48df982d9c4013807912",
			"7d2bba9a4b121a33bc54b5515df6014407710d698d9d768a9a096a0faeb3ad2cb15ed63d9b6490e7647c814b8bac2a842662e7",
			"19f69a9024217d0beba61f4b8aba60267e9e850a96e7ce5dafebfa6add0df2691f53043223d6300f295d44cb31ea57b0869f5c3840ae003c293a5cdd44af46be",
		},
		{
			func(in p11.KBKDFData) []p11.KBKDFData { return []p11.KBKDFData{iteration, counter, in} },
			"34f0c2542bfe13c7149b68c8a1ef636b",
			"daefcc52d6e32e1614109268933087fce3d64a5a6f111ba1a8d343a1e388a1752aaea93853be52864997a81c84b04c4f3ff3bd",
			"fc0eae673e7db3c4660668e187bcd81d5ca9b89213d8d741e71c9bab89bb4fb3c4df541d89a8117f0f56b0f15111ae28abf81fb7d7349fbbcaf01137e4d73527",
		},
		{
			func(in p11.KBKDFData) []p11.KBKDFData { return []p11.KBKDFData{iteration, in, counter} },
			"b65ea7c14d21cbad94575d668929b8ed",
			"13d47f74b114e79a80a04d281389731d7dfca2b5753036782b8790a97003fa50a5653dda69fc4cc7a79ba59497c17025dbc3fb",
			"32de17b47de8fc08f756734a2e51488b41105e20f0f811f9b05e583e476691f1d77e6685abdc9f919a38e2cfe3ca5c91c3c7d4a52f229b5f25eb9b70750ebc10",
		},
	} {
		p := p11.KBKDFParams{PRF: p11.CKM_AES_CMAC, Data: v.order(fixed(unhex(v.input)))}
		checkDerives(t, m, testKey{p11.CKK_AES, unhex(v.key)}, p, 64, unhex(v.want))
	}
}
