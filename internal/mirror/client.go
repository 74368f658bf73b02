package mirror

import "net/http"

// Client is an HTTP client that speaks to a server as a source does: with its
// limits, and, where the configuration says so, to the public Internet alone.
func Client(cfg SourceConfig) *http.Client { return newSite("", cfg.withDefaults()).client }
