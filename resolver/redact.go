package resolver

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
)

var (
	errClosedByPeer = errors.New("connection closed by the other side")
	errNoAnswer     = errors.New("not a usable HTTP answer")
)

// Redact reduces an error of an HTTP client to what can be printed: the end of
// the context, or what is wrong with name, connection or certificate. Other
// texts may quote an address or what the other side sent, such as the signed
// address of a redirect, and are left out.
func Redact(err error) error {
	var op *net.OpError
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.As(err, &dns):
		return dns
	case errors.As(err, &op):
		return op
	case errors.As(err, &cert):
		return cert
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errClosedByPeer
	default:
		return errNoAnswer
	}
}
