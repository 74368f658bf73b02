package format

import (
	"strings"

	"wenlan/internal/record"
)

// The tables that reading ONIX takes. Source: ONIX for Books, release 3.0 (3.1 adds
// to it), and its code lists, https://ns.editeur.org/onix; short tags and reference
// names say the same.

// onixTags leads from short tags of elements to reference names.
var onixTags = map[string]string{
	"a001": "RecordReference", "a002": "NotificationType", "a194": "RecordSourceType", "a197": "RecordSourceName", "a199": "DeletionText",
	"b012": "ProductForm", "b014": "ProductFormDescription", "b020": "YearOfAnnual", "b029": "Subtitle", "b030": "TitlePrefix", "b031": "TitleWithoutPrefix",
	"b034": "SequenceNumber", "b035": "ContributorRole", "b036": "PersonName", "b037": "PersonNameInverted", "b038": "TitlesBeforeNames", "b039": "NamesBeforeKey",
	"b040": "KeyNames", "b041": "NamesAfterKey", "b042": "LettersAfterNames", "b043": "TitlesAfterNames", "b044": "BiographicalNote", "b045": "ProfessionalPosition",
	"b046": "Affiliation", "b047": "CorporateName", "b048": "ContributorDescription", "b049": "ContributorStatement", "b057": "EditionNumber", "b058": "EditionStatement",
	"b062": "IllustrationsNote", "b063": "MapScale", "b067": "SubjectSchemeIdentifier", "b068": "SubjectSchemeVersion", "b069": "SubjectCode", "b070": "SubjectHeadingText",
	"b073": "AudienceCode", "b079": "ImprintName", "b081": "PublisherName", "b083": "CountryOfPublication", "b087": "CopyrightYear", "b125": "NumberOfIllustrations",
	"b171": "SubjectSchemeName", "b201": "WorkIDType", "b202": "TitleType", "b203": "TitleText", "b204": "AudienceCodeType", "b206": "AudienceCodeValue", "b207": "AudienceDescription",
	"b209": "CityOfPublication", "b218": "ExtentType", "b219": "ExtentValue", "b220": "ExtentUnit", "b221": "ProductIDType", "b225": "ProductPackaging", "b233": "IDTypeName",
	"b244": "IDValue", "b247": "PrefixToKey", "b248": "SuffixToKey", "b249": "UnnamedPersons", "b251": "CountryCode", "b252": "LanguageCode", "b253": "LanguageRole",
	"b289": "PlayRunningTime", "b291": "PublishingRole", "b294": "WebsiteDescription", "b295": "WebsiteLink", "b306": "Date", "b333": "ProductFormDetail", "b352": "BibleContents",
	"b367": "WebsiteRole", "b384": "TradeCategory", "b385": "ProductContentType", "b394": "PublishingStatus", "b395": "PublishingStatusNote",
	"d104": "Text", "d107": "TextAuthor", "g126": "PrizeName", "g127": "PrizeYear", "g129": "PrizeCode",
	"j137": "SupplierName", "j151": "PriceAmount", "j152": "CurrencyCode", "j192": "UnpricedItemType", "j396": "ProductAvailability", "m184": "DefaultLanguageOfText",
	"x314": "ProductComposition", "x316": "CountryOfManufacture", "x317": "EpubTechnicalProtection", "x323": "NumberOfCopies", "x329": "CollectionType", "x330": "SourceName",
	"x344": "CollectionIDType", "x400": "DefaultLanguageOfText", "x409": "TitleElementLevel", "x410": "PartNumber", "x411": "NoCollection", "x412": "FromLanguage", "x413": "ToLanguage",
	"x414": "NameType", "x415": "NameIDType", "x416": "PrimaryContentType", "x419": "EditionType", "x425": "MainSubject", "x426": "TextType", "x427": "ContentAudience",
	"x435": "ResourceLink", "x436": "ResourceContentType", "x446": "LatestReprintNumber", "x448": "PublishingDateRole", "x454": "WorkRelationCode", "x455": "ProductRelationCode",
	"x462": "PriceType", "x478": "TitleStatement", "x479": "CollectionSequenceType", "x481": "CollectionSequenceNumber", "x501": "TitlePrefix", "x503": "PrizeStatement",
	"x508": "EpubLicenseExpressionType", "x510": "EpubLicenseExpressionLink", "x511": "EpubLicenseName",
}

// onixComposites are elements with elements in them; their short tags are their
// names in lower case.
var onixComposites = lowered(
	"ONIXMessage", "Header", "Product", "ProductIdentifier", "RecordSourceIdentifier", "Barcode", "DescriptiveDetail", "ProductFormFeature", "Measure", "EpubUsageConstraint", "EpubLicense",
	"EpubLicenseExpression", "ProductClassification", "ProductPart", "Collection", "CollectionIdentifier", "CollectionSequence", "TitleDetail", "TitleElement",
	"Contributor", "NameIdentifier", "AlternativeName", "ContributorDate", "ProfessionalAffiliation", "Website", "ContributorPlace", "Event", "Conference", "ReligiousText",
	"Language", "Extent", "AncillaryContent", "Subject", "Audience", "AudienceRange", "Complexity", "CollateralDetail", "TextContent", "CitedContent",
	"SupportingResource", "ResourceVersion", "Prize", "ContentDetail", "ContentItem", "PublishingDetail", "Imprint", "Publisher", "PublishingDate", "CopyrightStatement",
	"CopyrightOwner", "SalesRights", "SalesRestriction", "RelatedMaterial", "RelatedWork", "WorkIdentifier", "RelatedProduct", "ProductionDetail", "ProductSupply",
	"Market", "MarketPublishingDetail", "SupplyDetail", "Supplier", "Price", "PromotionDetail",
)

func lowered(names ...string) map[string]string {
	out := make(map[string]string, len(names))
	for _, n := range names {
		out[strings.ToLower(n)] = n
	}
	return out
}

// onixReference gives every element its reference name.
func onixReference(n *xmlNode) {
	n.all(func(m *xmlNode) {
		if name := onixTags[m.name]; name != "" {
			m.name = name
		} else if name := onixComposites[m.name]; name != "" {
			m.name = name
		}
	})
}

// onixIDs: list 5, product identifier types, and list 16, of works.
var onixIDs = map[string]string{"02": "isbn", "03": "isbn", "15": "isbn", "06": "doi", "26": "doi", "13": "lccn", "22": "urn", "23": "oclc"}

// onixRoles: list 17, contributor roles, to MARC relator codes.
var onixRoles = map[string]string{
	"A01": "aut", "A02": "aut", "A03": "aus", "A04": "lbt", "A05": "lyr", "A06": "cmp", "A07": "art", "A08": "pht", "A09": "cre", "A10": "cre", "A11": "dsr", "A12": "ill",
	"A13": "pht", "A14": "aut", "A15": "aui", "A16": "aui", "A17": "ctb", "A18": "ctb", "A19": "aft", "A20": "ann", "A21": "cwt", "A22": "aft", "A23": "aui", "A24": "aui",
	"A25": "ann", "A26": "ctb", "A29": "aui", "A30": "prg", "A31": "lbt", "A32": "ctb", "A33": "ctb", "A34": "ctb", "A35": "ill", "A36": "cov", "A38": "aut", "A39": "ctg",
	"A40": "ill", "A42": "aut", "A43": "ivr", "A44": "ive", "A45": "aut", "A46": "ill", "A47": "clr", "A48": "ill", "A51": "res", "A99": "cre",
	"B01": "edt", "B02": "edt", "B03": "adp", "B04": "abr", "B05": "adp", "B06": "trl", "B07": "adp", "B08": "trl", "B09": "edt", "B10": "trl", "B11": "edt", "B12": "edt", "B13": "edt",
	"B14": "edt", "B15": "edt", "B16": "edt", "B18": "edt", "B19": "edt", "B20": "edt", "B21": "edt", "B22": "adp", "B24": "edt", "B25": "arr", "B26": "edt", "B27": "ths",
	"B28": "opn", "B29": "edt", "B31": "edt", "B99": "adp", "C01": "com", "C02": "com", "C03": "com", "C04": "cur", "C99": "com",
	"D01": "pro", "D02": "drt", "D03": "cnd", "D04": "chr", "E01": "act", "E02": "dnc", "E03": "nrt", "E04": "cmm", "E05": "sng", "E06": "itr", "E07": "nrt", "E08": "prf",
	"E09": "spk", "E10": "pre", "E99": "prf", "F01": "cng", "F02": "flm", "Z02": "dte",
}

// onixSchemes: list 27, subject schemes.
var onixSchemes = map[string]string{
	"01": "ddc", "02": "ddc", "03": "lcc", "04": "lcsh", "05": "nlm", "06": "mesh", "07": "nal", "08": "aat", "09": "udc", "10": "bisac", "11": "bisac", "12": "bic", "13": "bic",
	"14": "bic", "15": "bic", "16": "bic", "17": "bic", "18": "sdnb", "19": "lcgft", "22": "bisac", "26": "wgs", "29": "clil", "32": "nur", "35": "kdc", "36": "ddc", "40": "ndc",
	"48": "sab", "61": "jel", "62": "csh", "63": "rvm", "71": "yso", "74": "sears", "88": "clc", "91": "gnd",
	"93": "thema", "94": "thema", "95": "thema", "96": "thema", "97": "thema", "98": "thema", "99": "thema", "A5": "rameau", "A8": "lcshac", "B0": "eurovoc", "B6": "fast",
}

// onixRelations: list 51, product relations. Those that are not here name other
// works, and are kept as they are. A version in another language may be the original
// or a translation: either is an edition of the work.
var onixRelations = map[string]string{
	"01": record.HasPart, "02": record.PartOf, "03": record.EditionOf, "05": record.EditionOf, "06": record.FormatOf, "07": record.RelatedTo, "08": record.SupplementTo,
	"11": record.EditionOf, "13": record.FormatOf, "14": record.FormatOf, "15": record.FormatOf, "16": record.FormatOf, "17": record.FormatOf, "18": record.EditionOf,
	"19": record.EditionOf, "20": record.FormatOf, "21": record.FormatOf, "24": record.EditionOf, "25": record.EditionOf, "27": record.FormatOf, "28": record.FormatOf,
	"29": record.FormatOf, "31": record.FormatOf, "32": record.FormatOf, "33": record.FormatOf, "37": record.FormatOf, "38": record.FormatOf, "42": record.EditionOf,
	"43": record.RelatedTo, "44": record.RelatedTo,
}

// onixKind is the kind of record of a product form, list 150.
func onixKind(form string) record.Kind {
	if form == "" {
		return record.Book
	}
	switch form[0] {
	case 'A':
		return record.Audio
	case 'B', 'E', 'M', 'S', '0':
		return record.Book
	case 'C':
		return record.Image // maps and globes
	}
	if form == "PK" || form == "PF" || form == "PJ" { // poster, frieze, postcards
		return record.Image
	}
	if form == "DA" || form == "DB" || form == "DG" || form == "PA" || form == "PC" { // digital, on a carrier, electronic book text; printed
		return record.Book
	}
	return record.Other
}
