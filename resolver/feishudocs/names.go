package feishudocs

import (
	"errors"
	"strings"

	"github.com/attachfs/attachfs/resolver"
)

// maxCaption is how much of a caption is a name: captions may be whole
// paragraphs.
const maxCaption = 80

// imageName is that of a picture, which has none: its caption, or its token.
func imageName(caption, token string) string {
	caption = strings.Join(strings.Fields(caption), " ")
	if runes := []rune(caption); len(runes) > maxCaption {
		caption = strings.TrimSpace(string(runes[:maxCaption]))
	}
	if caption == "" {
		return token
	}
	return caption
}

// aboutFile reports whether err says of one document that it is not for us to
// see, or gone.
func aboutFile(err error) bool {
	return resolver.Refused(err) || errors.Is(err, resolver.ErrNotExist)
}
