package query

// Limits of a query's text; what is beyond them is cut off.
const (
	MaxText  = 2048 // bytes
	MaxTerms = 32   // words and phrases
	MaxDepth = 6    // of the tree, alternatives included
)
