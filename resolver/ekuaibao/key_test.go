package ekuaibao

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// seedKey is the one that the vendor's page prints.
const seedKey = `DP:{"fileId":"136634437985","fileName":"128163bbba83.jpg","fileSize":2985928,"fileType":"jpg","spaceId":"7215288789"}`

func TestDriveKey(t *testing.T) {
	for _, row := range []struct {
		key, name string
		size      sizeKey
	}{
		{seedKey, "128163bbba83.jpg", sizeKey{2985928, true}},
		{`DP:{"fileName":"合同","fileType":"pdf","fileSize":"12"}`, "合同.pdf", sizeKey{12, true}},
		{`DP:{"fileName":"a.b","fileType":"pdf","fileSize":-1}`, "a.b", sizeKey{-1, false}},
		{`DP:{"fileSize":1.5}`, "DingTalk file", sizeKey{1, false}},
		{"DP:", "DingTalk file", sizeKey{}},
		{"DP:{", "DingTalk file", sizeKey{}},
	} {
		assert.True(t, onDrive(row.key))
		assert.Equal(t, row.name, nameOf(row.key))
		assert.Equal(t, row.size.told, readDrive(row.key).Size.told, row.key)
		if row.size.told {
			assert.Equal(t, row.size, readDrive(row.key).Size)
		}
		assert.Zero(t, timeOf(row.key))
	}
}

func TestNameOf(t *testing.T) {
	for key, name := range map[string]string{
		"openapi0306c2d1-7a5b-4e96-8172-60c5ee0f971e-kotlin简介.docx": "kotlin简介.docx",
		"无发票号码-1611919507409-253.jpg":                               "无发票号码.jpg",
		"a/b/photo-1611919507409-1":                                 "photo",
		"0306c2d1-7a5b-4e96-8172-60c5ee0f971e-5Zue5Y2V.pdf":         "回单.pdf",
		"0306c2d1-7a5b-4e96-8172-60c5ee0f971e-AAEC.pdf":             "0306c2d1.pdf",
		"anything else": "anything else",
	} {
		assert.Equal(t, name, nameOf(key))
	}
}

func TestTimeOf(t *testing.T) {
	assert.Equal(t, time.UnixMilli(1611919507409).UTC(), timeOf("无发票号码-1611919507409-253.jpg"))
	for _, key := range []string{"a-0000000000001-253.jpg", "a-9999999999999-253.jpg", "a-1611919507409.jpg", "a.jpg", ""} {
		assert.Zero(t, timeOf(key), key)
	}
}
