package feishumail

import (
	"net/url"
	"strings"

	"github.com/attachfs/attachfs/resolver"
)

// IDs are "folder/F", "message/M" and "message/M/A", with the API's ids
// escaped: those of messages have slashes.
const (
	folderKind  = "folder"
	messageKind = "message"
)

func folderID(folder string) resolver.ID { return join(folderKind, folder) }

func messageID(message string) resolver.ID { return join(messageKind, message) }

func fileID(message, attachment string) resolver.ID { return join(messageKind, message, attachment) }

func join(kind string, ids ...string) resolver.ID {
	for _, id := range ids {
		kind += "/" + url.PathEscape(id)
	}
	return resolver.ID(kind)
}

// place is what an ID tells; what it does not tell is empty.
type place struct{ folder, message, attachment string }

// placeOf reads an ID. What none of this package's is gives the zero place.
func placeOf(id resolver.ID) place {
	parts := strings.Split(string(id), "/")
	for i, part := range parts {
		text, err := url.PathUnescape(part)
		if err != nil || text == "" {
			return place{}
		}
		parts[i] = text
	}
	switch {
	case len(parts) == 2 && parts[0] == folderKind:
		return place{folder: parts[1]}
	case len(parts) == 2 && parts[0] == messageKind:
		return place{message: parts[1]}
	case len(parts) == 3 && parts[0] == messageKind:
		return place{message: parts[1], attachment: parts[2]}
	}
	return place{}
}
