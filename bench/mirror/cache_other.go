//go:build !linux

package main

import "errors"

func forget(string) error { return errors.ErrUnsupported }
