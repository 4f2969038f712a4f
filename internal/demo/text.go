package demo

// longName is close to the longest name that a file system takes, 255 bytes.
const longName = "关于2026年度办公设备采购合同补充条款与交付验收安排的第三次线上会议纪要" +
	"（含法务、财务、行政与供应商云栖科技各方意见，待总经理审批后归档并抄送项目组全体成员备查）.md"

const outingPage = `<!DOCTYPE html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<title>秋季团建日程</title>
<style>
  body { font: 16px/1.7 sans-serif; margin: 0; color: #2c3440; background: #f4efe6 }
  header { padding: 3em 2em; color: #fff; background: linear-gradient(120deg, #35605a, #d98b4a) }
  main { max-width: 42em; margin: 2em auto; padding: 0 1em }
  table { width: 100%; border-collapse: collapse; background: #fff }
  td { padding: .7em 1em; border-bottom: 1px solid #e6ddd0 }
  td:first-child { white-space: nowrap; color: #b4632a; font-weight: bold }
</style>
</head>
<body>
<header><h1>秋季团建：龙井村一日</h1><p>2026 年 10 月 11 日，星期日</p></header>
<main>
<p>桂花开了。这次我们不开会，只走路、喝茶、吃饭。</p>
<table>
<tr><td>09:00</td><td>杭州东站西广场集合，大巴出发</td></tr>
<tr><td>10:00</td><td>九溪十八涧徒步，约六公里，穿舒服的鞋</td></tr>
<tr><td>12:30</td><td>龙井村午餐：茶香虾仁、叫化鸡、西湖醋鱼</td></tr>
<tr><td>14:00</td><td>采茶与炒茶体验，每人可带走一小罐</td></tr>
<tr><td>16:30</td><td>苏堤看日落，合影</td></tr>
<tr><td>18:00</td><td>湖滨晚餐，自由活动</td></tr>
</table>
</main>
</body>
</html>
`

const outingNotice = `秋季团建报名须知

一、请在 10 月 10 日中午前回复邮件报名，可带一位家属。
二、徒步路段有台阶，膝盖不适的同事可乘车直达龙井村。
三、对茶叶、虾或坚果过敏请提前告诉林涛。
四、下雨改到茶叶博物馆，时间不变。

行政部
2026 年 10 月 9 日
`

const expenseLetter = `财务同事好：

十月上旬的报销明细见附件，发票原件已放在前台文件夹。
团建的两笔按人均计算，共 16 人。

辛苦了，谢谢！
陈语
`

const signatures = `{
  "contract": "QF-2026-0318",
  "title": "2026年度办公设备采购合同",
  "currency": "CNY",
  "parties": [
    {"role": "甲方", "name": "杭州清风设计有限公司", "signer": "苏菲", "signed_at": "2026-03-19T10:12:00+08:00"},
    {"role": "乙方", "name": "杭州云栖科技有限公司", "signer": "王帆", "signed_at": "2026-03-20T09:01:30+08:00"}
  ],
  "attachments": 4,
  "complete": true
}
`

const meetingMinutes = `# 会议纪要

时间：2026 年 3 月 23 日 16:00；方式：线上；记录：李微

1. **法务**：补充条款第 2 条中的“工作日”按国务院公布的节假日安排计算。
2. **财务**：发票随最后一批货物开具，税率 13%。
3. **行政**：旧桌椅捐给社区图书馆，由云栖科技协助搬运。
4. **云栖科技**：升降桌分两批到货，4 月 8 日与 4 月 15 日。

> 文件名已经很长了，会议就到这里。
`

const quotation = "\ufeff品名,规格,数量,单价（元）\r\n" +
	"升降桌,橡木 160×80 cm,12,2899.00\r\n" +
	"办公椅,网背,12,1249.00\r\n" +
	"显示器,27 寸 USB-C,8,2199.00\r\n" +
	"白板,180×90 cm,2,680.00\r\n"

const acceptance = `验收标准

一、外观：桌面无划痕、无翘曲，四脚着地。
二、功能：升降桌空载升降各三次，噪声不高于 50 分贝。
三、数量：与送货单逐项核对，双方签字。
四、期限：到货后五个工作日内完成验收。
`

const deliveryPlan = `# Delivery plan

| batch | day        | goods                     |
|-------|------------|---------------------------|
| 1     | 2026-04-08 | 12 desks, 2 whiteboards   |
| 2     | 2026-04-15 | 12 chairs, 8 monitors     |

The goods lift is free before ten in the morning. Ask for Lin Tao at the gate.
`

const reviewReadme = `# Quarterly review

- ` + "`2026 Q3 review.pptx`" + ` - what we showed on 12 October
- ` + "`销售额趋势.svg`" + ` - the chart, opens in any browser

Questions that came up:

1. Why was the first quarter slow? *Spring Festival, and two people on leave.*
2. What brought the third one up? *The museum project, 38% of sales.*
3. Will it last? *Ask again in January.*
`

const itinerary = `# Three days in Hangzhou

## Saturday, 2 May
- 10:00 Bike along **Su Causeway** (苏堤); coffee at the third bridge
- 15:00 Boat to the *Three Pools Mirroring the Moon* (三潭印月)
- 18:40 Sunset from Leifeng Pagoda - see ` + "`西湖日落.png`" + `

## Sunday, 3 May
- 08:00 Lingyin Temple before the crowds
- 11:00 The church with the coloured windows
- 16:00 Tea in Longjing village. Do not say that you prefer coffee.

## Monday, 4 May
- 09:00 Grand Canal by water bus, from Wulin Gate to Gongchen Bridge
- 14:26 Train home, Hangzhou East, coach 7

> 上有天堂，下有苏杭。
`

const handoverReadme = `# Gateway incident, 31 October 2026

From 10:42 to 10:49 three requests in five were answered with 503 after 30 s.
The log is beside this archive:

    grep ERROR gateway-2026-10-31.log | wc -l

Cause: the links to the store had expired, and every gateway asked for new ones
at the same moment. Since then one of them asks and the others wait.
`

const handoverTimeline = `time,event
10:42,first 503
10:43,alarm; Li Wei takes it
10:45,links found expired
10:47,renewal limited to one request at a time
10:49,last 503
11:30,all clear
`

const gatewayConfig = `listen = "0.0.0.0:8443"
workers = 8

[links]
lifetime = "10m"
renew_ahead = "90s"
parallel_renewals = 1
`
