package format

import (
	"io"
	"slices"
	"strconv"
	"strings"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// newONIX takes messages of ONIX for Books apart into their products, with reference
// names or with short tags.
func newONIX(r io.Reader) Elements {
	return splitXML(r, xmlSpec{roots: []string{"ONIXMessage", "ONIXmessage"}, records: []string{"Product", "product"}, context: []string{"Header", "header"}})
}

// onix is a product that is being read.
type onix struct {
	*Described
	issuedRank int
}

// parseONIX reads a product of ONIX 3. Licences and prices go to the extra: a bulk
// has no files, and they are what rights are stated for.
func parseONIX(raw []byte) (*Described, error) {
	root, warning, err := recordXML(raw)
	if err != nil {
		return nil, err
	}
	onixReference(root)
	product := root.find("Product")
	if product == nil {
		return nil, errs.New(errs.Refused, "it is no product of ONIX")
	}
	p := &onix{Described: &Described{}, issuedRank: len(onixDates)}
	p.warnOf(warning)
	detail := product.find("DescriptiveDetail")
	switch {
	case onixText(product, "NotificationType") == "05":
		return nil, errs.New(errs.Refused, "it asks that the record be deleted (notification type 05); a record is withdrawn by a person")
	case detail == nil && (strings.HasPrefix(root.attr("release"), "2") || children(product, "Title") != nil):
		return nil, errs.New(errs.Refused, "it is ONIX 2; ONIX 3 is what is read")
	case detail == nil:
		return nil, errs.New(errs.Refused, "it describes nothing: it has no DescriptiveDetail")
	}
	p.ID = bulkID(onixText(product, "RecordReference"))
	p.Record.Kind = record.Book
	for _, n := range product.children {
		switch n.name {
		case "", "RecordReference":
		case "NotificationType", "RecordSourceType", "RecordSourceName", "RecordSourceIdentifier", "Barcode", "DeletionText", "ContentDetail", "ProductionDetail", "PromotionDetail":
			p.leave(n.name)
		case "ProductIdentifier":
			p.identifier(n)
		case "DescriptiveDetail":
			p.describe(n)
		case "CollateralDetail":
			p.collateral(n)
		case "PublishingDetail":
			p.publishing(n)
		case "RelatedMaterial":
			p.related(n)
		case "ProductSupply":
			p.supply(n)
		default:
			p.keepRest(n)
		}
	}
	if len(p.Record.Languages) == 0 {
		if h := root.find("Header"); h != nil {
			p.addLanguage("DefaultLanguageOfText", onixText(h, "DefaultLanguageOfText"))
		}
	}
	p.dropEmptyContainer()
	return p.Described, nil
}

// onixText is the text of the first child with a name.
func onixText(n *xmlNode, name string) string {
	for _, c := range n.children {
		if c.name == name {
			return plainMarkup(c.text(), maxTitle, false)
		}
	}
	return ""
}

func (p *onix) identifier(n *xmlNode) {
	kind, value := onixText(n, "ProductIDType"), onixText(n, "IDValue")
	scheme := onixIDs[kind]
	if kind == "03" && !strings.HasPrefix(value, "978") && !strings.HasPrefix(value, "979") {
		scheme = "" // the number of an article that is no book
	}
	if scheme == "" {
		p.extraText("ProductIdentifier", strings.TrimSpace(kind+" "+onixText(n, "IDTypeName")+" "+value))
		return
	}
	p.keepID(scheme, value)
}

func (p *onix) describe(detail *xmlNode) {
	r := &p.Record
	var contributors []*xmlNode
	var others []string // titles beside the main one
	for _, n := range detail.children {
		switch n.name {
		case "":
		case "ProductForm":
			r.Kind = onixKind(strings.TrimSpace(n.text()))
			p.extraText(n.name, n.text())
		case "TitleDetail":
			kind := onixText(n, "TitleType")
			title, sub := p.title(n)
			switch {
			case title == "":
			case kind == "03":
				others = append(others, title)
				p.relate(record.TranslationOf, nil, title)
			case kind != "01" && kind != "00" && kind != "" || r.Title != "":
				others = append(others, title)
			default:
				r.Title = title
				if sub != "" {
					others = append(others, title+": "+sub)
				}
			}
		case "Collection":
			p.collection(n)
		case "Contributor":
			contributors = append(contributors, n)
		case "Language":
			p.language(n)
		case "Subject":
			p.subject(n)
		case "Extent":
			p.extraText(n.name, strings.Join([]string{onixText(n, "ExtentType"), onixText(n, "ExtentValue"), onixText(n, "ExtentUnit")}, " "))
		case "Audience":
			p.extraText(n.name, strings.TrimSpace(onixText(n, "AudienceCodeType")+" "+onixText(n, "AudienceCodeValue")))
		case "EpubLicense":
			p.extraText("license", onixText(n, "EpubLicenseName"))
			n.all(func(m *xmlNode) {
				if m.name == "EpubLicenseExpressionLink" {
					p.extraText("license", m.text())
				}
			})
		case "ProductComposition", "NoCollection", "NoContributor", "NoEdition":
			// what is not there, and that the product is one
		default:
			p.keepRest(n)
		}
	}
	for _, t := range others {
		p.addAlt(t)
	}
	slices.SortStableFunc(contributors, func(a, b *xmlNode) int { return onixSequence(a) - onixSequence(b) })
	for _, n := range contributors {
		p.contributor(n)
	}
}

func onixSequence(n *xmlNode) int {
	if i, err := strconv.Atoi(onixText(n, "SequenceNumber")); err == nil && i > 0 && i < 1<<20 {
		return i
	}
	return 1 << 20
}

// title joins a title of its elements. Those of the product come first; a product
// that has only a number within its collection is named after both.
func (p *onix) title(n *xmlNode) (title, sub string) {
	var whole, part string
	for _, e := range children(n, "TitleElement") {
		text := onixText(e, "TitleText")
		if text == "" {
			text = strings.TrimSpace(onixText(e, "TitlePrefix") + " " + onixText(e, "TitleWithoutPrefix"))
		}
		number := strings.TrimSpace(onixText(e, "PartNumber") + " " + onixText(e, "YearOfAnnual"))
		if level := onixText(e, "TitleElementLevel"); level == "02" || level == "03" {
			whole = strings.TrimSpace(whole + " " + text)
			if part == "" {
				part = number
			}
			continue
		}
		if text == "" {
			part = number
			continue
		}
		title = strings.TrimSpace(title + " " + text)
		if number != "" {
			title += ", " + number
		}
		sub = onixText(e, "Subtitle")
	}
	if title == "" && whole != "" {
		if title = whole; part != "" {
			title += ", " + part
		}
	}
	if title == "" {
		title = onixText(n, "TitleStatement")
	}
	return cleanLine(title, maxTitle), sub
}

// collection takes the first series as the container, and others besides.
func (p *onix) collection(n *xmlNode) {
	var title, number string
	for _, d := range children(n, "TitleDetail") {
		for _, e := range children(d, "TitleElement") {
			text := onixText(e, "TitleText")
			if text == "" {
				text = strings.TrimSpace(onixText(e, "TitlePrefix") + " " + onixText(e, "TitleWithoutPrefix"))
			}
			if number == "" {
				number = onixText(e, "PartNumber")
			}
			if title == "" {
				title = text
			}
		}
	}
	for _, s := range children(n, "CollectionSequence") {
		number = onixText(s, "CollectionSequenceNumber")
	}
	box := p.container()
	if box.Title != "" || title == "" {
		p.extraText("Collection", strings.TrimSpace(title+" "+number))
		return
	}
	box.Title, box.Volume = title, number
	for _, id := range children(n, "CollectionIdentifier") {
		if kind := onixText(id, "CollectionIDType"); kind == "02" { // list 13: ISSN
			p.keepISSN(onixText(id, "IDValue"))
		} else {
			p.extraText("CollectionIdentifier", strings.TrimSpace(kind+" "+onixText(id, "IDValue")))
		}
	}
}

// language: list 22, language roles.
func (p *onix) language(n *xmlNode) {
	code := onixText(n, "LanguageCode")
	switch role := onixText(n, "LanguageRole"); role {
	case "01", "06", "07", "": // of the text; original and translated, in an edition of both
		p.addLanguage("Language", code)
	default:
		p.extraText("Language", role+" "+code)
	}
}

func (p *onix) subject(n *xmlNode) {
	r := &p.Record
	id, code, label := onixText(n, "SubjectSchemeIdentifier"), onixText(n, "SubjectCode"), onixText(n, "SubjectHeadingText")
	if id == "20" || id == "B2" { // keywords
		for k := range strings.FieldsFuncSeq(label+";"+code, func(c rune) bool { return c == ';' || c == '；' }) {
			r.Subjects = addSubject(r.Subjects, subjectOf(k))
		}
		return
	}
	scheme := onixSchemes[id]
	if scheme == "" {
		scheme = strings.ToLower(cleanLine(onixText(n, "SubjectSchemeName"), 50))
	}
	if scheme == "" {
		scheme = "onix-" + strings.ToLower(cleanLine(id, 10))
	}
	if scheme == "ddc" { // written with a slash or apostrophe where it may be cut
		code = strings.NewReplacer("/", "", "'", "").Replace(code)
	}
	if label == "" {
		label = code
	}
	r.Subjects = addSubject(r.Subjects, record.Subject{Scheme: scheme, Code: cleanLine(code, 200), Label: label})
}

func (p *onix) contributor(n *xmlNode) {
	c := onixName(n)
	if c.Name == "" {
		p.extraText("UnnamedPersons", onixText(n, "UnnamedPersons"))
		return
	}
	for _, alt := range children(n, "AlternativeName") {
		a := onixName(alt)
		for _, name := range append([]string{a.Name}, a.AltNames...) {
			if name != c.Name {
				c.AltNames = addLine(c.AltNames, name, maxShort)
			}
		}
	}
	for _, id := range children(n, "NameIdentifier") { // list 44
		switch kind, value := onixText(id, "NameIDType"), onixText(id, "IDValue"); kind {
		case "16":
			p.creatorID(&c, "isni", value)
		case "21":
			p.creatorID(&c, "orcid", value)
		default:
			p.extraText("NameIdentifier", c.Name+": "+kind+" "+value)
		}
	}
	for _, m := range n.children {
		switch m.name {
		case "BiographicalNote", "Website", "ContributorDate", "ContributorPlace", "ContributorDescription":
			p.leave(m.name)
		case "ProfessionalAffiliation":
			p.extraText("affiliation", c.Name+": "+onixText(m, "Affiliation"))
		}
	}
	roles := children(n, "ContributorRole")
	if len(roles) == 0 {
		roles = []*xmlNode{{}}
	}
	for _, m := range roles[:min(len(roles), 5)] {
		code := strings.TrimSpace(m.text())
		if c.Role = onixRoles[code]; c.Role == "" {
			c.Role = "ctb"
			p.extraText("ContributorRole", c.Name+": "+code)
		}
		p.addCreator(c)
	}
}

// onixName is a name as shown, and the form that is sorted by.
func onixName(n *xmlNode) record.Creator {
	part := func(name string) string { return onixText(n, name) }
	if corporate := part("CorporateName"); corporate != "" {
		return record.Creator{Name: corporate}
	}
	family := strings.TrimSpace(part("PrefixToKey") + " " + part("KeyNames"))
	c := cslName{Family: family, Given: strings.TrimSpace(part("NamesBeforeKey") + " " + part("NamesAfterKey")), Suffix: part("SuffixToKey")}.creator("")
	if name := part("PersonName"); name != "" && name != c.Name {
		c.Name = name
	}
	if inverted := part("PersonNameInverted"); inverted != "" {
		if c.Name == "" { // "Austen, Jane"
			family, given, _ := strings.Cut(inverted, ",")
			return cslName{Family: strings.TrimSpace(family), Given: strings.TrimSpace(given)}.creator("")
		}
		if inverted != c.Name {
			c.AltNames = addLine(c.AltNames, inverted, maxShort)
		}
	}
	return c
}

// collateral takes texts: list 153. The description is the abstract, else an
// abstract, else a short description.
func (p *onix) collateral(detail *xmlNode) {
	texts := map[string]string{}
	for _, n := range detail.children {
		switch n.name {
		case "":
		case "TextContent":
			kind, text := onixText(n, "TextType"), ""
			for _, t := range children(n, "Text") {
				if text = plainLines(t, maxAbstract); !slices.ContainsFunc(t.children, func(c *xmlNode) bool { return c.name != "" }) {
					text = plainMarkup(t.text(), maxAbstract, true)
				}
				if text != "" {
					break
				}
			}
			if texts[kind] == "" {
				texts[kind] = text
			} else {
				p.extraText("TextContent-"+kind, text)
			}
		case "SupportingResource":
			n.all(func(m *xmlNode) {
				if m.name == "ResourceLink" {
					p.extraText("ResourceLink", m.text())
				}
			})
		case "Prize":
			p.extraText("Prize", strings.TrimSpace(onixText(n, "PrizeName")+" "+onixText(n, "PrizeYear")))
		default:
			p.keepRest(n)
		}
	}
	for _, kind := range []string{"03", "30", "02"} {
		if texts[kind] != "" {
			p.Record.Abstract = texts[kind]
			delete(texts, kind)
			break
		}
	}
	for kind, text := range texts {
		p.extraText("TextContent-"+kind, text)
	}
}

// onixDates: list 163, the role that counts first: publication, of the printed
// counterpart, first publication, last reissue.
var onixDates = []string{"01", "19", "11", "16"}

func (p *onix) publishing(detail *xmlNode) {
	r := &p.Record
	imprint := ""
	for _, n := range detail.children {
		switch n.name {
		case "":
		case "Imprint":
			imprint = onixText(n, "ImprintName")
		case "Publisher":
			name, role := onixText(n, "PublisherName"), onixText(n, "PublishingRole") // list 45: 01 publisher
			if r.Publisher == "" && (role == "01" || role == "") {
				r.Publisher = name
			} else {
				p.extraText("Publisher", strings.TrimSpace(role+" "+name))
			}
		case "CityOfPublication":
			if r.Place == "" {
				r.Place = cleanLine(n.text(), maxTitle)
			} else {
				p.extraText(n.name, n.text())
			}
		case "PublishingDate":
			role := onixText(n, "PublishingDateRole")
			date := onixDate(n.find("Date"))
			if date == "" {
				p.warnOf("the publishing date " + onixText(n, "Date") + " cannot be read")
				p.extraText("PublishingDate", role+" "+onixText(n, "Date"))
				continue
			}
			if rank := slices.Index(onixDates, role); rank >= 0 && rank < p.issuedRank {
				p.issuedRank, r.Issued = rank, date
			}
			if role != "01" {
				p.extraText("PublishingDate", role+" "+date)
			}
		case "CopyrightStatement":
			p.extraText(n.name, plainXML(n, maxTitle))
		case "SalesRights", "ROWSalesRightsType", "SalesRestriction", "ProductContact":
			p.leave(n.name)
		default:
			p.keepRest(n)
		}
	}
	if r.Publisher == "" {
		r.Publisher = imprint
	} else if imprint != r.Publisher {
		p.extraText("ImprintName", imprint)
	}
}

// onixDate is a date by its format, list 55; without one it is YYYYMMDD, or shorter.
func onixDate(n *xmlNode) string {
	if n == nil {
		return ""
	}
	text := strings.TrimSpace(n.text())
	part := func(s string) string {
		switch {
		case !digits.MatchString(s):
			return ""
		case len(s) == 4:
			return edtfParts(s, "", "")
		case len(s) == 6:
			return edtfParts(s[:4], s[4:], "")
		case len(s) == 8:
			return edtfParts(s[:4], s[4:6], s[6:])
		}
		return ""
	}
	switch n.attr("dateformat") {
	case "02", "03", "04": // a week, a quarter, a season of a year
		return part(text[:min(len(text), 4)])
	case "06", "07", "11": // from, to: two of one length
		if len(text)%2 == 0 {
			if from, to := part(text[:len(text)/2]), part(text[len(text)/2:]); from != "" && to != "" {
				return from + "/" + to
			}
		}
		return ""
	case "13", "14": // with a time
		return part(text[:min(len(text), 8)])
	}
	if d := part(text); d != "" {
		return d
	}
	return edtf(text)
}

func (p *onix) related(n *xmlNode) {
	for _, m := range n.children {
		idName, code := "ProductIdentifier", ""
		switch m.name {
		case "RelatedProduct":
			code = onixText(m, "ProductRelationCode")
		case "RelatedWork":
			idName, code = "WorkIdentifier", onixText(m, "WorkRelationCode")
		default:
			p.keepRest(m)
			continue
		}
		kind := onixRelations[code]
		if m.name == "RelatedWork" { // list 164: 01 is "manifestation of"
			if kind = ""; code == "01" {
				kind = record.EditionOf
			}
		}
		kept := false
		for _, id := range children(m, idName) {
			idType, value := onixText(id, strings.TrimSuffix(idName, "Identifier")+"IDType"), onixText(id, "IDValue")
			if scheme := onixIDs[idType]; kind != "" && scheme != "" && !kept {
				if one, ok := p.checkedID(scheme, value); ok && one.Scheme != "local" {
					p.relate(kind, &one, "")
					kept = true // one product by several numbers is one
					continue
				}
			}
			if !kept {
				p.extraText(m.name, strings.TrimSpace(code+" "+idType+" "+value))
			}
		}
	}
}

// supply keeps whether the product can be had, and its prices.
func (p *onix) supply(n *xmlNode) {
	n.all(func(m *xmlNode) {
		switch m.name {
		case "ProductAvailability", "UnpricedItemType":
			p.extraText(m.name, m.text())
		case "Price":
			p.extraText("Price", strings.TrimSpace(onixText(m, "PriceType")+" "+onixText(m, "PriceAmount")+" "+onixText(m, "CurrencyCode")))
		case "Market", "MarketPublishingDetail", "Supplier":
			p.leave(m.name)
		}
	})
}
