package format

import "strings"

// commonWords are the words that a page of a language can hardly do without,
// for languages that share their script with others. A word that several
// languages share counts for each of them in part.
var commonWords = wordTable(map[string]string{
	// Latin script
	"en": "the and of to a in that is was he for it with as his on be at by had not are but from or have an they which you were her all she there would their we him been has when who will more if no out so said what up its about than into them can only other some could these then do my me",
	"fr": "le la les de des et un une du en que qui dans pour pas sur ne au ce il elle se plus par je avec tout faire son sa ses mais comme nous vous on ou était avait cette être sont aux même où leur bien deux lui y ont été dit sans ces",
	"de": "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden aus er hat dass sie nach wird bei einer um am sind noch wie einem über einen so zum war haben nur oder aber vor zur bis mehr durch man sein wurde ich wir ihr ihn ihm daß",
	"es": "el la los las de del y que en un una por con no se su para es al lo como más pero sus le ya o este sí porque esta entre cuando muy sin sobre también me hasta hay donde quien desde todo nos durante todos uno les ni contra otros ese eso ante ellos era había fue está",
	"it": "il lo la i gli le di del della dei delle e che in un una per con non si da al è sono come più ma anche nel nella dal su ha suo sua mi questo questa era ed alla se o ci quando quello cui tutti aveva perché dopo fu lui lei essere gli degli ai dalla io loro",
	"pt": "o a os as de do da dos das e que em um uma para com não se por na no mais ao como mas foi ele ela seu sua ou ser quando muito nos já está eu também só pelo pela até isso entre era depois sem mesmo aos seus quem nas me esse eles você tinha foram essa num nem são",
	"nl": "de het een en van ik te dat die in je is niet zijn op aan met als voor had er maar om hem dan zou of wat mijn men dit zo door over ze zich bij ook tot uit naar was haar heeft hij nog wel werd worden deze wij zij geen hun omdat onder moet",
	"sv": "och det att i en jag hon som han på den med var sig för så till är men ett om hade de av icke mig du henne då sin nu har inte hans honom skulle hennes där min man ej vid kunde något från ut när efter upp vi dem vara vad över än",
	"da": "og i jeg det at en den til er som på de med han af for ikke der var mig sig men et har om vi min havde ham hun nu over da fra du ud sin dem os op man hans hvor eller hvad skal selv her alle vil blev kunne ind når være dog noget hende efter meget",
	"nb": "og i jeg det at en et den til er som på de med han av ikke der så var meg seg men ett har om vi min mitt ha hadde hun nå over da ved fra du ut sin dem oss opp man kan hans hvor eller hva skal selv sjøl her alle vil bli ble blitt kunne inn når være kom noen noe etter",
	"fi": "ja on ei että oli hän se joka mutta niin kun kuin ovat myös sen hänen heidän heille heidät kaikki mitä minä sitä tai vain jo jos nyt ole sinä me he ne tämä olla ollut sekä kanssa oli hän olivat mukaan vielä jonka siitä minun",
	"is": "og að í á það er sem var ekki til um við en hann með af fyrir ég hún þetta þá svo þeir þegar hafa eru frá upp því",
	"pl": "i w nie na się z do to że jest o jak a ale po co tak za od jego jej był była było być przez ja dla już tylko mnie czy gdy ich są może pan które który która bardzo jeszcze ze go jeśli tym przy tego",
	"cs": "a v na se že je s z do o to i jako za ve by pro ale k jsem jeho po když si od byl byla bylo jsou který která které tak co není nebo už ze jen však jak ještě podle jsme při aby",
	"sk": "a v na sa že je s z do o to aj ako za vo by pre ale k som jeho po keď si od bol bola bolo sú ktorý ktorá ktoré tak čo nie alebo už zo len však ešte podľa pri aby",
	"hu": "a az és hogy nem is egy meg csak volt ez ha de már még mint el ki kell vagy azt mert sem nagy le lehet én aki fel be itt van voltak nincs után úgy minden ezt nekem",
	"ro": "și de în a la cu pe care nu să un o este din mai că ca se ce pentru am fost sunt dar sau al ale lui ei era au fi prin după până când foarte i s-a le îl acest această",
	"tr": "ve bir bu da de için ile çok ne o gibi daha ama kadar ben sonra var en her olarak olan değil ki mi olduğu dedi onun şey diye yok benim sen bana oldu",
	"az": "və bir bu da də üçün ilə çox nə o kimi daha amma qədər mən sonra var ən hər olan deyil ki mı oldu onun",
	"ca": "el la els les de del i que en un una per amb no es al com més però seu ho molt són és aquest aquesta dels va ha ser també o si quan sense fins on hi tot tots",
	"gl": "o a os as de do da dos das e que en un unha para con non se por na no máis ao como pero foi el ela seu súa ou ser cando moi xa está eu tamén só polo pola ata",
	"eu": "eta da ez bat izan zen ere du dira den baina zuen hau bere egin dute hori beste zuten dela edo izango oso gehiago baino",
	"hr": "i u je se na da su za od s a ne što koji bio kao ali po iz to do ili o sam bi već nije ja on samo bila nego kako kad koja koje ću što jer još",
	"sl": "in je v se na da so za z s ne ki pa bil kot ali po iz to do o sem bi že ni jaz on samo bila kako ko tudi kar ker še bilo",
	"et": "ja on ei et oli ta see kui ka aga mis ma oma siis nii või kes selle tema ning olid nagu veel olla juba välja üks mitte pole",
	"lv": "un ir ka ar no uz par kas bet es tas viņš nav tā vai arī kā lai pie tikai vēl jau bija ko to viņa mēs",
	"lt": "ir yra kad su iš į ne tai bet kaip aš jis o buvo tik dar jau apie po nuo arba jo jos mes bei kuris kurie už",
	"sq": "dhe të në e i që për me një nuk është nga si më do ka kjo por ishte u së ky janë kur tij",
	"vi": "và của là có được cho không trong một người những đã với các này để khi ông tôi đó cũng ra như về đến anh nhưng lại từ bà nó vào còn phải",
	"id": "yang dan di dengan untuk itu ini dari tidak dalam akan pada juga ke karena ada oleh saya mereka seperti bahwa telah sudah kita atau dia adalah anda bisa lebih hanya",
	"ms": "yang dan di dengan untuk itu ini dari tidak dalam akan pada juga ke kerana ada oleh saya mereka seperti bahawa telah sudah kita atau dia ialah anda boleh lebih hanya",
	"tl": "ang ng sa na at mga ay si ni hindi ko siya ito kung para ako may niya pa rin kay ngunit nang isang",
	"sw": "na ya wa kwa ni la katika za kuwa hii yake cha si kama huo watu hiyo alikuwa lakini hata mtu yeye sana",
	"la": "et in est non ad ut cum quod qui sed ex si quae ab quam nec esse atque ac per hoc enim sunt autem de eius etiam sibi quo aut inter hi omnes omnia tamen erat ipse quidem res ita vel esse quarum quorum me tibi",
	"eo": "la kaj de en estas al mi li ne ke por kun sed oni ĝi estis tiu kiu pri vi se kiel ĉi pli ili el havas tio ŝi ankaŭ",
	"ga": "an na agus i ar go a is le do sé sí ní bhí tá ag leis mar níl sin seo ach nach raibh gur",
	"cy": "y yr a i yn ar o ei mae yn ac am fod oedd ni wedi ond hyn eu hi gan fel bod nid hynny",
	"af": "die en van het nie in is dat te vir met hy op ek om was sy as aan wat ook ons sal maar deur hulle word haar kan nog",

	// Cyrillic script
	"ru": "и в не на что я с он как а то это по но она к из у за от так же вы бы все его было только мы мне ты был для ещё еще уже если когда они или ни быть чтобы нет при меня даже",
	"uk": "і в не на що я з він як а то це по але вона до у за від так же ви б все його було тільки ми мені ти був для ще вже якщо коли вони або ні бути щоб немає при мене та й її який",
	"be": "і ў не на што я з ён як а то гэта па але яна да у за ад так жа вы б усё яго было толькі мы мне ты быў для яшчэ ужо калі яны або ні быць каб няма пры мяне",
	"bg": "и в не на че аз с той как а то това по но тя към от за така се вие би все го беше само ние ми ти бил още вече ако когато те или са да ще съм без като през при има който",
	"sr": "и у не на што ја са он као а то је се да су за од али по из до или о сам би већ није само била него како кад која које ћу јер још који",
	"mk": "и во не на што јас со тој како а тоа е се да се за од но по до или би веќе само била кога која кои уште од ќе",

	// Greek script
	"el": "και το να του η της με που την από για είναι τα στο ο οι δεν θα στη τον των σε ότι αυτό τους μου ήταν στην τις ένα μας αλλά δε πως",

	// Arabic script
	"ar": "في من على أن إلى لا ما هذا هذه كان التي الذي عن مع هو هي كل لم قد بين بعد ثم أو إن قال يا ذلك عند غير لكن حتى إذا و فيه",
	"fa": "و در به از که این را با است برای آن یک خود تا کرد بر هم نیز گفت می شود او ما اما یا هر شد بود دارد چه همه بی ای آنها من",
	"ur": "کے میں کی ہے اور سے کا کو اس نے کہ پر ہیں یہ وہ بھی ایک نہیں تھا ہو کر تو گیا ان تھی کیا لیے جو ہوں",

	// Devanagari script
	"hi": "के में की है और से का को इस ने कि पर हैं यह वह भी एक नहीं था हो कर तो गया उस थी क्या लिए जो मैं",
	"mr": "आणि आहे या ते की तो मी हे त्या नाही ती होते होता असे एक पण काही केली करून मध्ये आहेत व ला चा ची चे",
	"ne": "र छ मा को का यो हो पनि गर्न भएको गरेको छन् तर ले लाई भने थियो एक उनी हुन्छ गरी",

	// Hebrew script
	"he": "של את על לא הוא זה היא כי אני עם כל גם אם מה אל לו היה או אבל אשר יותר כמו רק ולא בין אחד כן יש אין הם",
	"yi": "און די דער איז אין צו האט דאס נישט ער מיט פון אז א איך זיי זי זיך וואס מען האבן אויף",
})

// wordTable turns the lists round: word -> the languages that have it.
func wordTable(lists map[string]string) map[string][]string {
	table := map[string][]string{}
	for lang, words := range lists {
		seen := map[string]bool{}
		for _, w := range strings.Fields(words) {
			if !seen[w] {
				seen[w] = true
				table[w] = append(table[w], lang)
			}
		}
	}
	return table
}

// scriptLanguages are the languages that alone, or nearly so, use a script.
var scriptLanguages = map[string]string{
	"Thai": "th", "Lao": "lo", "Georgian": "ka", "Armenian": "hy", "Bengali": "bn", "Tamil": "ta",
	"Telugu": "te", "Kannada": "kn", "Malayalam": "ml", "Gujarati": "gu", "Gurmukhi": "pa", "Sinhala": "si",
	"Khmer": "km", "Myanmar": "my", "Tibetan": "bo", "Ethiopic": "am", "Mongolian": "mn",
}

// hansHant are characters of which simplified and traditional writing each have
// their own form, in pairs. A form that the other writing also uses, as another
// character (后, 里, 云), is not here.
const hansHant = "个個们們来來时時说說为為国國这這对對会會后後过過还還没沒发發经經开開问問头頭见見长長动動现現东東车車马馬门門间間书書话話语語谁誰让讓请請谢謝认認识識读讀写寫买買卖賣钱錢银銀铁鐵" +
	"错錯风風飞飛鸟鳥鱼魚龙龍龟龜岁歲历歷万萬与與业業两兩严嚴丧喪丰豐临臨义義乐樂习習乡鄉争爭亏虧亚亞产產亲親亿億仅僅从從仓倉仪儀价價众眾优優传傳伤傷伦倫伪偽侦偵侧側债債倾傾偿償储儲儿兒兰蘭关關兴興养養兽獸军軍农農冯馮决決况況冻凍净淨凉涼减減凤鳳击擊刘劉则則刚剛创創删刪别別剧劇办辦务務劝勸劳勞势勢勋勳华華协協单單卢盧卫衛厂廠厅廳厉厲压壓厌厭县縣参參双雙变變叶葉号號叹嘆听聽启啟员員呜嗚响響哑啞唤喚园園围圍图圖圆圓圣聖场場坏壞块塊坚堅坛壇坟墳坠墜垒壘" +
	"声聲处處备備复復够夠夺奪奋奮奖獎妇婦妈媽娱娛婴嬰孙孫学學宁寧宝寶实實宠寵审審宪憲宽寬宾賓寻尋导導寿壽将將尔爾尘塵尝嘗层層属屬岛島岭嶺币幣师師帐帳带帶帮幫庄莊庆慶库庫应應庙廟废廢张張弹彈强強归歸录錄彻徹忆憶忧憂怀懷态態总總恋戀恼惱惊驚惧懼惨慘惯慣愿願战戰户戶执執扩擴扫掃扬揚抚撫抢搶护護报報担擔择擇拥擁挂掛挥揮损損据據掷擲携攜摆擺数數断斷无無旧舊显顯晓曉暂暫术術机機杀殺杂雜权權条條极極构構枪槍柜櫃标標树樹样樣桥橋梦夢检檢楼樓欢歡欧歐残殘毁毀毕畢气氣汇匯汉漢汤湯沟溝泪淚泽澤洁潔浅淺测測济濟浑渾浓濃涛濤润潤涨漲渐漸渔漁温溫湾灣湿濕满滿滚滾灭滅灯燈灵靈灾災炉爐点點炼煉烂爛烛燭烟煙烦煩烧燒热熱爱愛爷爺牺犧状狀犹猶狱獄独獨猎獵玛瑪环環玺璽电電画畫疗療疯瘋痴癡盐鹽监監盖蓋盘盤矿礦码碼确確礼禮祸禍离離种種积積称稱稳穩穷窮竞競笔筆笼籠简簡类類粮糧紧緊红紅纪紀约約级級纯純纸紙线線练練组組细細终終绍紹结結给給络絡绝絕统統继繼绩績续續维維绿綠编編缘緣缩縮网網罗羅罚罰职職联聯聪聰肃肅肠腸肤膚胆膽胜勝胶膠脑腦脚腳脱脫脸臉艺藝节節芦蘆苏蘇药藥获獲莲蓮营營萧蕭蓝藍虏虜虑慮虫蟲虽雖补補装裝观觀规規视視览覽觉覺触觸誉譽计計订訂讨討训訓议議讯訊记記讲講许許论論设設访訪证證评評诉訴词詞译譯试試诗詩诚誠详詳该該诸諸课課调調谈談谋謀谓謂贝貝贞貞负負贡貢财財责責贤賢败敗货貨质質贪貪贫貧购購贯貫贵貴贺賀资資赏賞赐賜赖賴赵趙赶趕趋趨跃躍践踐轮輪软軟轻輕载載较較辅輔辈輩输輸辞辭边邊达達迁遷运運进進远遠违違连連迟遲适適选選逊遜递遞遗遺邓鄧邮郵邻鄰郑鄭酱醬释釋针針钟鐘钢鋼钥鑰铃鈴铜銅链鏈锁鎖锋鋒镇鎮镜鏡闪閃闭閉闲閒闷悶闹鬧闻聞阅閱队隊阳陽阴陰阵陣阶階际際陆陸陈陳险險随隨隐隱难難雾霧静靜顶頂项項顺順须須顾顧预預领領频頻题題颜顏额額饭飯饮飲饱飽馆館驶駛驾駕驱驅验驗骂罵骑騎骗騙鲁魯鲜鮮鸡雞鸣鳴鸭鴨麦麥齐齊齿齒"
