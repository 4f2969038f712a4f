package demo

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"time"
)

// member is one file of an archive.
type member struct {
	name string
	body []byte
}

// zipBytes makes a zip file of members in their order, all as old as modTime.
func zipBytes(modTime time.Time, members ...member) []byte {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, m := range members {
		w, err := z.CreateHeader(&zip.FileHeader{Name: m.name, Method: zip.Deflate, Modified: modTime})
		must(err)
		_, err = w.Write(m.body)
		must(err)
	}
	must(z.Close())
	return out.Bytes()
}

// tarGzBytes makes a compressed tar file of members, all as old as modTime.
func tarGzBytes(modTime time.Time, members ...member) []byte {
	var out bytes.Buffer
	compressed := gzip.NewWriter(&out)
	t := tar.NewWriter(compressed)
	for _, m := range members {
		must(t.WriteHeader(&tar.Header{
			Name: m.name, Size: int64(len(m.body)), Mode: 0o644, ModTime: modTime,
		}))
		_, err := t.Write(m.body)
		must(err)
	}
	must(t.Close())
	must(compressed.Close())
	return out.Bytes()
}

func contractArchive() []byte {
	return zipBytes(at(time.March, 18, 7, 0),
		member{"合同附件/报价单.csv", []byte(quotation)},
		member{"合同附件/验收标准.txt", []byte(acceptance)},
		member{"合同附件/印章.png", seal()},
		member{"合同附件/Delivery plan.md", []byte(deliveryPlan)},
	)
}

func handoverArchive() []byte {
	return tarGzBytes(at(time.October, 31, 16, 58),
		member{"handover/README.md", []byte(handoverReadme)},
		member{"handover/timeline.csv", []byte(handoverTimeline)},
		member{"handover/config/gateway.toml", []byte(gatewayConfig)},
	)
}
