package torrent

import (
	"bytes"
	"encoding/binary"
	"io"

	"wenlan/internal/errs"
)

// The peer wire protocol, BEP 3, with the Fast extension, BEP 6, and the
// extension protocol, BEP 10, as far as one who only uploads needs them.

const (
	protocol     = "\x13BitTorrent protocol"
	handshakeLen = 20 + 8 + 20 + 20

	msgChoke         = 0
	msgUnchoke       = 1
	msgInterested    = 2
	msgNotInterested = 3
	msgBitfield      = 5
	msgRequest       = 6
	msgPiece         = 7
	msgCancel        = 8
	msgHaveAll       = 14
	msgHaveNone      = 15
	msgReject        = 16
	msgExtended      = 20

	// maxBlock is the longest block that is given; the standard one has 16 KiB.
	maxBlock = 128 << 10
	// maxMessage bounds what a peer may send at once; the longest is a bit field.
	maxMessage = 1 << 20
	// maxRequests bounds what a peer may have asked for and not got; told by reqq.
	maxRequests = 4096

	metadataID    = 1 // our number for ut_metadata, BEP 9
	metadataPiece = 16 << 10
)

// reserved are the bits of what we can: extension protocol, Fast extension.
var reserved = [8]byte{5: 0x10, 7: 0x04}

type handshake struct {
	extended, fast bool
	h              Infohash
	id             [20]byte
}

func writeHandshake(w io.Writer, h Infohash, id [20]byte) error {
	b := make([]byte, 0, handshakeLen)
	b = append(b, protocol...)
	b = append(b, reserved[:]...)
	b = append(b, h[:]...)
	b = append(b, id[:]...)
	_, err := w.Write(b)
	return err
}

// readHead reads a handshake up to the infohash, readID the rest.
func readHead(r io.Reader) (hs handshake, err error) {
	var b [48]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return hs, err
	}
	if string(b[:20]) != protocol {
		return hs, errs.New(errs.Refused, "not the BitTorrent protocol")
	}
	hs.extended, hs.fast = b[25]&0x10 != 0, b[27]&0x04 != 0
	copy(hs.h[:], b[28:])
	return hs, nil
}

func (hs *handshake) readID(r io.Reader) error {
	_, err := io.ReadFull(r, hs.id[:])
	return err
}

// request is a block that a peer asks for.
type request struct{ piece, begin, length uint32 }

// message is what a peer said, as far as it matters here.
type message struct {
	id      byte
	alive   bool // a keep-alive: nothing else is set
	request request
	payload []byte // of msgExtended
}

// readMessage reads one message. What is of no use to one who uploads is skipped,
// and comes with its number alone.
func readMessage(r io.Reader) (m message, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:4]); err != nil {
		return m, err
	}
	n := binary.BigEndian.Uint32(head[:4])
	if n == 0 {
		m.alive = true
		return m, nil
	}
	if n > maxMessage {
		return m, errs.New(errs.TooLarge, "a message of %d bytes", n)
	}
	if _, err := io.ReadFull(r, head[4:]); err != nil {
		return m, err
	}
	m.id = head[4]
	n--
	switch m.id {
	case msgRequest, msgCancel:
		var b [12]byte
		if n != 12 {
			return m, errs.New(errs.Refused, "a request of %d bytes", n)
		}
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return m, err
		}
		m.request = request{binary.BigEndian.Uint32(b[:]), binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])}
		return m, nil
	case msgExtended:
		if n < 1 || n > 64<<10 {
			return m, errs.New(errs.Refused, "an extended message of %d bytes", n)
		}
		m.payload = make([]byte, n)
		_, err := io.ReadFull(r, m.payload)
		return m, err
	case msgPiece:
		return m, errs.New(errs.Refused, "a piece that nobody asked for")
	}
	_, err = io.CopyN(io.Discard, r, int64(n))
	return m, err
}

func appendMessage(b []byte, id byte, payload ...byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(1+len(payload)))
	b = append(b, id)
	return append(b, payload...)
}

// appendBlock writes the block that a peer asked for out of its piece.
func appendBlock(b []byte, q request, piece []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, 9+q.length)
	b = append(b, msgPiece)
	b = binary.BigEndian.AppendUint32(b, q.piece)
	b = binary.BigEndian.AppendUint32(b, q.begin)
	return append(b, piece[q.begin:q.begin+q.length]...)
}

func appendReject(b []byte, q request) []byte {
	b = binary.BigEndian.AppendUint32(b, 13)
	b = append(b, msgReject)
	b = binary.BigEndian.AppendUint32(b, q.piece)
	b = binary.BigEndian.AppendUint32(b, q.begin)
	return binary.BigEndian.AppendUint32(b, q.length)
}

// extendedHello is our extended handshake, BEP 10.
func extendedHello(metadata int) []byte {
	var b bytes.Buffer
	b.WriteByte(0)
	b.WriteString("d1:md11:ut_metadatai1ee13:metadata_sizei")
	benTail(&b, int64(metadata))
	b.WriteString("4:reqqi")
	benTail(&b, maxRequests)
	b.WriteString("11:upload_onlyi1e1:v6:Wenlane")
	return b.Bytes()
}

// benTail writes the rest of an integer whose "i" is there.
func benTail(b *bytes.Buffer, n int64) {
	var one bytes.Buffer
	benInt(&one, n)
	b.Write(one.Bytes()[1:])
}

// metadataOf reads a peer's number for ut_metadata out of its extended handshake;
// 0: it takes none.
func metadataOf(payload []byte) byte {
	v, _, err := benDecode(payload)
	if err != nil {
		return 0
	}
	top, _ := v.(map[string]any)
	m, _ := top["m"].(map[string]any)
	n, _ := m["ut_metadata"].(int64)
	if n < 1 || n > 255 {
		return 0
	}
	return byte(n)
}

// metadataRequest reads a request for a piece of the metadata, BEP 9.
func metadataRequest(payload []byte) (piece int64, ok bool) {
	v, _, err := benDecode(payload)
	if err != nil {
		return 0, false
	}
	top, _ := v.(map[string]any)
	kind, isKind := top["msg_type"].(int64)
	piece, isPiece := top["piece"].(int64)
	return piece, isKind && isPiece && kind == 0
}

// metadataAnswer is a piece of the info dictionary, or a rejection, as an extended
// message with the peer's number.
func metadataAnswer(id byte, info []byte, piece int64) []byte {
	var b bytes.Buffer
	b.WriteByte(id)
	if piece < 0 || piece > int64(len(info)-1)/metadataPiece {
		b.WriteString("d8:msg_typei2e5:piecei")
		benTail(&b, piece)
		b.WriteByte('e')
		return b.Bytes()
	}
	b.WriteString("d8:msg_typei1e5:piecei")
	benTail(&b, piece)
	b.WriteString("10:total_sizei")
	benTail(&b, int64(len(info)))
	b.WriteByte('e')
	from := int(piece) * metadataPiece
	b.Write(info[from:min(len(info), from+metadataPiece)])
	return b.Bytes()
}
