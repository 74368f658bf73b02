// Package browsertest runs a real browser for tests: headless Chromium with a
// fresh profile, watched on every side.
package browsertest
