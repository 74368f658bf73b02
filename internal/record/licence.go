package record

import (
	"net/url"
	"strings"
)

// openLicences are the SPDX ids of licences that let everyone copy and pass on
// the work worldwide and cannot be taken back: those that put a file on a shelf.
// Licences for software are here because books of programs carry them.
var openLicences = []string{
	"CC0-1.0", "PDDL-1.0", "ODC-By-1.0", "ODbL-1.0",
	"CC-BY-1.0", "CC-BY-2.0", "CC-BY-2.5", "CC-BY-3.0", "CC-BY-4.0",
	"CC-BY-SA-1.0", "CC-BY-SA-2.0", "CC-BY-SA-2.5", "CC-BY-SA-3.0", "CC-BY-SA-4.0",
	"CC-BY-ND-1.0", "CC-BY-ND-2.0", "CC-BY-ND-2.5", "CC-BY-ND-3.0", "CC-BY-ND-4.0",
	"CC-BY-NC-1.0", "CC-BY-NC-2.0", "CC-BY-NC-2.5", "CC-BY-NC-3.0", "CC-BY-NC-4.0",
	"CC-BY-NC-SA-1.0", "CC-BY-NC-SA-2.0", "CC-BY-NC-SA-2.5", "CC-BY-NC-SA-3.0", "CC-BY-NC-SA-4.0",
	"CC-BY-NC-ND-1.0", "CC-BY-NC-ND-2.0", "CC-BY-NC-ND-2.5", "CC-BY-NC-ND-3.0", "CC-BY-NC-ND-4.0",
	"GFDL-1.1-only", "GFDL-1.1-or-later", "GFDL-1.2-only", "GFDL-1.2-or-later", "GFDL-1.3-only", "GFDL-1.3-or-later",
	"LAL-1.3", "Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "MPL-2.0", "ISC", "0BSD", "Unlicense",
	"GPL-2.0-only", "GPL-2.0-or-later", "GPL-3.0-only", "GPL-3.0-or-later", "AGPL-3.0-only", "AGPL-3.0-or-later",
	"LGPL-2.1-only", "LGPL-2.1-or-later", "LGPL-3.0-only", "LGPL-3.0-or-later",
}

// PublicDomainMark is the URI of the Creative Commons Public Domain Mark 1.0.
const PublicDomainMark = "https://creativecommons.org/publicdomain/mark/1.0/"

// ParseLicence reads a machine-readable rights value: one that as a whole is the
// SPDX id of an open licence, a Creative Commons URI, or a public-domain mark.
// basis is PublicDomain or Licence; licence is the SPDX id, empty for the public
// domain. Prose that only mentions a licence gives ok == false.
// Source: https://spdx.org/licenses/, https://creativecommons.org/licenses/.
func ParseLicence(value string) (basis, licence string, ok bool) {
	value = strings.Trim(strings.TrimSpace(value), "<>")
	for _, id := range openLicences {
		if strings.EqualFold(id, value) {
			return Licence, id, true
		}
	}
	u, err := url.Parse(value)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") {
		return "", "", false
	}
	host := strings.TrimPrefix(strings.ToLower(u.Host), "www.")
	parts := strings.Split(strings.Trim(strings.ToLower(u.Path), "/"), "/")
	switch host {
	case "creativecommons.org":
		if len(parts) < 2 {
			return "", "", false
		}
		version := "1.0"
		if len(parts) > 2 {
			version = parts[2]
		}
		switch {
		case parts[0] == "publicdomain" && parts[1] == "mark":
			return PublicDomain, "", true
		case parts[0] == "publicdomain" && parts[1] == "zero":
			return Licence, "CC0-1.0", true
		case parts[0] == "licenses" && parts[1] == "publicdomain":
			return PublicDomain, "", true
		case parts[0] == "licenses" && len(parts) > 2:
			return ParseLicence("CC-" + parts[1] + "-" + version)
		}
	case "rightsstatements.org":
		// NoC-US speaks of one country, NKC and NoC-NC of less: none of them is a dedication.
		return "", "", false
	case "spdx.org":
		if len(parts) == 2 && parts[0] == "licenses" {
			return ParseLicence(strings.TrimSuffix(parts[1], ".html"))
		}
	}
	return "", "", false
}

// IsOpenLicence says whether a licence (SPDX id or URI) is one that makes a
// record open by itself.
func IsOpenLicence(licence string) bool {
	_, _, ok := ParseLicence(licence)
	return ok
}

// LicenceURI is the address by which a program knows a rights statement, one that
// [ParseLicence] reads: of the public domain the mark's, of a licence that of its
// deed or of its SPDX page; "" where there is none.
func LicenceURI(r *Rights) string {
	if r == nil {
		return ""
	}
	switch r.Basis {
	case PublicDomain:
		return PublicDomainMark
	case Licence:
		_, id, ok := ParseLicence(r.Licence)
		if !ok {
			return ""
		}
		if version, ok := strings.CutPrefix(id, "CC0-"); ok {
			return "https://creativecommons.org/publicdomain/zero/" + version + "/"
		}
		if name, ok := strings.CutPrefix(id, "CC-"); ok {
			at := strings.LastIndexByte(name, '-')
			return "https://creativecommons.org/licenses/" + strings.ToLower(name[:at]) + "/" + name[at+1:] + "/"
		}
		return "https://spdx.org/licenses/" + id + ".html"
	}
	return ""
}
