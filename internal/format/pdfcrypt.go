package format

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5"
	"crypto/rc4"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
)

// Many PDFs are encrypted so that anyone can open them: the password to open is
// empty. Those are read like any other (7.6); one that needs a password gives
// errPDFLocked. The old ciphers are here to read what others wrote, they
// protect nothing.

type pdfCipher byte

const (
	pdfPlain pdfCipher = iota
	pdfRC4
	pdfAES
)

type pdfCrypt struct {
	key              []byte
	version          int
	streams, strings pdfCipher
	metadata         bool // the metadata stream is encrypted too
}

var pdfPad = []byte("\x28\xBF\x4E\x5E\x4E\x75\x8A\x41\x64\x00\x4E\x56\xFF\xFA\x01\x08\x2E\x2E\x00\xB6\xD0\x68\x3E\x80\x2F\x0C\xA9\xFE\x64\x53\x69\x7A")

// unlock derives the key for the empty password.
func (p *pdfFile) unlock() error {
	d := p.dict(p.trailer["Encrypt"])
	text := func(key pdfName) []byte { s, _ := p.get(d[key]).(pdfString); return []byte(s) }
	if d == nil || p.get(d["Filter"]) != pdfName("Standard") {
		return errPDFLocked
	}
	version, revision := p.integer(d["V"]), p.integer(d["R"])
	c := &pdfCrypt{version: version, metadata: p.get(d["EncryptMetadata"]) != false}
	bits := p.integer(d["Length"])
	switch version {
	case 1:
		bits = 40
		c.streams, c.strings = pdfRC4, pdfRC4
	case 2:
		c.streams, c.strings = pdfRC4, pdfRC4
	case 4, 5:
		filters := p.dict(d["CF"])
		pick := func(key pdfName) pdfCipher {
			name, _ := p.get(d[key]).(pdfName)
			switch p.get(p.dict(filters[name])["CFM"]) {
			case pdfName("V2"):
				return pdfRC4
			case pdfName("AESV2"), pdfName("AESV3"):
				return pdfAES
			}
			return pdfPlain
		}
		c.streams, c.strings = pick("StmF"), pick("StrF")
		if version == 4 {
			bits = 128
		}
	default:
		return errPDFLocked
	}
	owner, user := text("O"), text("U")
	if version == 5 {
		secret := text("UE")
		if len(user) < 48 || len(secret) < 32 {
			return errPDFLocked
		}
		if !bytes.Equal(pdfHash(user[32:40], revision), user[:32]) {
			return errPDFLocked
		}
		block, err := aes.NewCipher(pdfHash(user[40:48], revision))
		if err != nil {
			return errPDFLocked
		}
		c.key = make([]byte, 32)
		cipher.NewCBCDecrypter(block, make([]byte, 16)).CryptBlocks(c.key, secret[:32])
		p.crypt = c
		return nil
	}
	if bits < 40 || bits > 128 {
		bits = 40
	}
	if len(owner) < 32 || len(user) < 32 {
		return errPDFLocked
	}
	var id []byte
	if ids := p.array(p.trailer["ID"]); len(ids) > 0 {
		s, _ := p.get(ids[0]).(pdfString)
		id = []byte(s)
	}
	perm, _ := p.get(d["P"]).(int64)
	h := md5.New()
	h.Write(pdfPad)
	h.Write(owner[:32])
	h.Write(binary.LittleEndian.AppendUint32(nil, uint32(perm)))
	h.Write(id)
	if revision >= 4 && !c.metadata {
		h.Write([]byte{255, 255, 255, 255})
	}
	key := h.Sum(nil)
	if revision >= 3 {
		for range 50 {
			sum := md5.Sum(key[:bits/8])
			key = sum[:]
		}
	}
	c.key = key[:bits/8]
	check, same := pdfPad, 32
	if revision >= 3 {
		sum := md5.Sum(append(bytes.Clone(pdfPad), id...))
		check, same = sum[:], 16
	}
	check = rc4Bytes(c.key, check)
	if revision >= 3 {
		for i := 1; i <= 19; i++ {
			k := bytes.Clone(c.key)
			for j := range k {
				k[j] ^= byte(i)
			}
			check = rc4Bytes(k, check)
		}
	}
	if !bytes.Equal(check[:same], user[:same]) {
		return errPDFLocked
	}
	p.crypt = c
	return nil
}

func rc4Bytes(key, data []byte) []byte {
	out := make([]byte, len(data))
	c, err := rc4.NewCipher(key)
	if err != nil {
		return data
	}
	c.XORKeyStream(out, data)
	return out
}

// pdfHash is algorithm 2.B of 7.6.4.3.4 for the empty password.
func pdfHash(salt []byte, revision int) []byte {
	sum := sha256.Sum256(salt)
	k := sum[:]
	if revision < 6 {
		return k
	}
	for i := 0; ; i++ {
		block, err := aes.NewCipher(k[:16])
		if err != nil {
			return nil
		}
		e := bytes.Repeat(k, 64)
		cipher.NewCBCEncrypter(block, k[16:32]).CryptBlocks(e, e)
		mod := 0
		for _, b := range e[:16] {
			mod += int(b) // 256 leaves 1 when divided by 3
		}
		switch mod % 3 {
		case 0:
			s := sha256.Sum256(e)
			k = s[:]
		case 1:
			s := sha512.Sum384(e)
			k = s[:]
		default:
			s := sha512.Sum512(e)
			k = s[:]
		}
		if i >= 63 && int(e[len(e)-1]) <= i-31 {
			return k[:32]
		}
	}
}

// decrypt gives the plain bytes of a string or stream of object num.
func (c *pdfCrypt) decrypt(data []byte, num, gen int, kind pdfCipher) []byte {
	if kind == pdfPlain {
		return data
	}
	key := c.key
	if c.version < 5 {
		k := append(bytes.Clone(c.key), byte(num), byte(num>>8), byte(num>>16), byte(gen), byte(gen>>8))
		if kind == pdfAES {
			k = append(k, "sAlT"...)
		}
		sum := md5.Sum(k)
		key = sum[:min(len(c.key)+5, 16)]
	}
	if kind == pdfRC4 {
		return rc4Bytes(key, data)
	}
	if len(data) < 32 || len(data)%16 != 0 {
		if len(data) < 32 {
			return nil
		}
		data = data[:len(data)&^15]
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil
	}
	out := make([]byte, len(data)-16)
	cipher.NewCBCDecrypter(block, data[:16]).CryptBlocks(out, data[16:])
	if n := int(out[len(out)-1]); n >= 1 && n <= 16 {
		out = out[:len(out)-n]
	}
	return out
}

// object decrypts the strings of an object that was read from the file.
func (c *pdfCrypt) object(v any, num, gen int) any {
	if c == nil || c.strings == pdfPlain {
		return v
	}
	switch v := v.(type) {
	case pdfString:
		return pdfString(c.decrypt([]byte(v), num, gen, c.strings))
	case pdfArray:
		for i := range v {
			v[i] = c.object(v[i], num, gen)
		}
	case pdfDict:
		for k := range v {
			v[k] = c.object(v[k], num, gen)
		}
	case pdfStream:
		c.object(v.dict, num, gen)
	}
	return v
}
