package feishusim_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver/feishu/feishusim"
)

func TestRates_OfDocuments(t *testing.T) {
	const post = "POST "
	for _, c := range []struct {
		call    feishusim.Call
		path    string
		calls   int
		refused [2]int
	}{
		{feishusim.DriveFiles, drivePath, 20, [2]int{429, 99991400}},
		{feishusim.Metas, post + "/open-apis/drive/v1/metas/batch_query", 50, [2]int{429, 99991400}},
		{feishusim.FileDownload, filePath("x"), 5, [2]int{429, 99991400}},
		{feishusim.MediaDownload, mediumPath("x"), 5, [2]int{429, 99991400}},
		{feishusim.Document, docxPath("x"), 5, [2]int{400, 99991400}},
		{feishusim.Blocks, docxPath("x") + "/blocks", 5, [2]int{400, 99991400}},
		{feishusim.SheetsQuery, sheetsV3 + "x/sheets/query", 100, [2]int{429, 99991400}},
		{feishusim.FloatImages, sheetsV3 + "x/sheets/y/float_images/query", 100, [2]int{429, 99991400}},
		{feishusim.Values, sheetsV2 + "x/values/y", 100, [2]int{429, 99991400}},
		{feishusim.BaseApp, appsPath + "x", 20, [2]int{200, 1254290}},
		{feishusim.BaseTables, appsPath + "x/tables", 20, [2]int{200, 1254290}},
		{feishusim.BaseFields, appsPath + "x/tables/y/fields", 20, [2]int{200, 1254290}},
		{feishusim.BaseSearch, post + appsPath + "x/tables/y/records/search", 20, [2]int{200, 1254290}},
		{feishusim.WikiSpaces, spacesPath, 100, [2]int{429, 99991400}},
		{feishusim.WikiNodes, spacesPath + "/x/nodes", 100, [2]int{429, 99991400}},
		{feishusim.WikiNodeInfo, spacesPath + "/get_node", 100, [2]int{429, 99991400}},
	} {
		t.Run(string(c.call), func(t *testing.T) {
			l := openStrict(t)
			l.SetTimeScale(1.0 / 3600) // no window ends within the test
			ask := func() reply {
				if path, ok := strings.CutPrefix(c.path, post); ok {
					return l.post(path, "{}")
				}
				return l.get(c.path)
			}
			for range c.calls {
				require.NotEqual(t, c.refused, ask().refusedWith())
			}
			r := ask()
			assert.Equal(t, c.refused, r.refusedWith())
			assert.Equal(t, c.refused[1] == 99991400, r.header.Get("X-Ogw-Ratelimit-Reset") != "")
			assert.Equal(t, feishusim.CallCounts{Calls: c.calls + 1, Refused: 1}, l.Counts(c.call))
		})
	}
}
