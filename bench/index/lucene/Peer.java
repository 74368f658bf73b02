import java.io.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;
import org.apache.lucene.analysis.core.WhitespaceAnalyzer;
import org.apache.lucene.document.*;
import org.apache.lucene.index.*;
import org.apache.lucene.search.*;
import org.apache.lucene.store.*;
import org.apache.lucene.util.BytesRef;

/**
 * The Lucene peer of the search benchmark; see bench/index/README.md for what is
 * equal on both sides and what is not. It prints one JSON object.
 *
 *   Peer build DIR RECORDS N THREADS POSITIONS
 *   Peer query DIR QUERIES CLASS MAX SECONDS WARM TOTALS CLOCK
 *   Peer open  DIR
 */
public class Peer {
  static final int ID = 0, KIND = 1, TITLE = 2, AUTHORS = 3, PUBLISHER = 4, ABSTRACT = 5, YEAR = 6, LANGUAGE = 7,
      SUBJECTS = 8, IDENTIFIER = 9, FORMAT = 10;
  static final int HITS = 20, FACETS = 20;

  public static void main(String[] a) throws Exception {
    switch (a[0]) {
      case "build": build(a[1], a[2], Integer.parseInt(a[3]), Integer.parseInt(a[4]), Boolean.parseBoolean(a[5])); break;
      case "query": new Peer(a[1]).query(a[2], a[3], Integer.parseInt(a[4]), Double.parseDouble(a[5]), Double.parseDouble(a[6]), Integer.parseInt(a[7]), a[8].equals("cpu")); break;
      case "open": new Peer(a[1]).opened(); break;
      default: throw new IllegalArgumentException(a[0]);
    }
  }

  // Building.

  static void build(String dir, String records, int n, int threads, boolean positions) throws Exception {
    FieldType text = new FieldType(TextField.TYPE_NOT_STORED);
    text.setIndexOptions(positions ? IndexOptions.DOCS_AND_FREQS_AND_POSITIONS : IndexOptions.DOCS_AND_FREQS);
    text.freeze();
    long begin = System.nanoTime();
    Directory out = FSDirectory.open(Paths.get(dir));
    IndexWriterConfig config = new IndexWriterConfig(new WhitespaceAnalyzer());
    config.setRAMBufferSizeMB(512);
    config.setUseCompoundFile(false);
    IndexWriter writer = new IndexWriter(out, config);
    BufferedReader in = new BufferedReader(new InputStreamReader(new FileInputStream(records), StandardCharsets.UTF_8), 1 << 20);
    int[] left = {n};
    Throwable[] failed = {null};
    Thread[] workers = new Thread[threads];
    for (int t = 0; t < threads; t++) {
      workers[t] = new Thread(() -> {
        try {
          String[] lines = new String[256];
          for (;;) {
            int k = 0;
            synchronized (in) {
              for (; k < lines.length && left[0] > 0; k++) {
                if ((lines[k] = in.readLine()) == null) break;
                left[0]--;
              }
            }
            for (int i = 0; i < k; i++) writer.addDocument(document(lines[i].split("\t", -1), text));
            if (k < lines.length) return;
          }
        } catch (Throwable e) {
          synchronized (failed) { failed[0] = e; }
        }
      });
      workers[t].start();
    }
    for (Thread t : workers) t.join();
    if (failed[0] != null) throw new IOException(failed[0]);
    writer.close(); // commits, and waits for merges
    double seconds = (System.nanoTime() - begin) / 1e9;
    long bytes = 0;
    for (String f : out.listAll()) bytes += out.fileLength(f);
    System.out.printf(Locale.ROOT, "{\"records\":%d,\"seconds\":%.3f,\"bytes\":%d}%n", n - left[0], seconds, bytes);
  }

  /** all is what the words of a query are looked for in: one list a term, as Wenlan has. */
  static Document document(String[] c, FieldType text) {
    Document d = new Document();
    d.add(new StringField("id", c[ID], Field.Store.NO)); // an update needs it
    d.add(new NumericDocValuesField("id", Long.parseLong(c[ID])));
    d.add(new Field("title", c[TITLE], text));
    d.add(new Field("author", c[AUTHORS], text));
    d.add(new Field("all", c[TITLE] + " " + c[AUTHORS] + " " + c[PUBLISHER] + " " + c[ABSTRACT], text));
    d.add(new StringField("ident", c[IDENTIFIER], Field.Store.NO));
    value(d, "lang", c[LANGUAGE]);
    value(d, "kind", c[KIND]);
    value(d, "format", c[FORMAT]);
    int year = Integer.parseInt(c[YEAR]);
    d.add(new IntPoint("year", year));
    d.add(new NumericDocValuesField("year", year));
    for (String s : c[SUBJECTS].split(";")) {
      d.add(new StringField("subject", s, Field.Store.NO));
      d.add(new SortedSetDocValuesField("subject", new BytesRef(s)));
    }
    return d;
  }

  static void value(Document d, String field, String v) {
    d.add(new StringField(field, v, Field.Store.NO));
    d.add(new SortedDocValuesField(field, new BytesRef(v)));
  }

  // Querying.

  final DirectoryReader reader;
  final IndexSearcher searcher;
  final double openMs;

  /** Opens ten times before the one that is timed: the first ones are the class loader's. */
  Peer(String dir) throws Exception {
    for (int i = 0; i < 10; i++) DirectoryReader.open(MMapDirectory.open(Paths.get(dir))).close();
    long begin = System.nanoTime();
    reader = DirectoryReader.open(MMapDirectory.open(Paths.get(dir)));
    searcher = new IndexSearcher(reader);
    searcher.setQueryCache(null);
    openMs = (System.nanoTime() - begin) / 1e6;
  }

  void opened() {
    System.out.printf(Locale.ROOT, "{\"open_ms\":%.3f,\"records\":%d,\"segments\":%d}%n", openMs, reader.numDocs(), reader.leaves().size());
  }

  void query(String file, String cls, int max, double seconds, double warm, int totals, boolean cpu) throws Exception {
    List<String[]> queries = new ArrayList<>();
    for (String line : Files.readAllLines(Paths.get(file))) {
      String[] c = line.split("\t");
      if (c[0].equals(cls) && queries.size() < max) queries.add(Arrays.copyOfRange(c, 1, c.length));
    }
    long begin = System.nanoTime();
    for (int i = 0; System.nanoTime() - begin < warm * 1e9; i++) one(cls, queries.get(i % queries.size()), totals);
    long[] ns = new long[queries.size()], hits = new long[queries.size()];
    boolean[] exact = new boolean[queries.size()];
    int n = 0;
    begin = System.nanoTime();
    for (String[] q : queries) {
      long s = clock(cpu);
      Answer a = one(cls, q, totals);
      ns[n] = clock(cpu) - s;
      hits[n] = a.total;
      exact[n++] = a.exact;
      if (System.nanoTime() - begin > seconds * 1e9) break;
    }
    StringBuilder b = new StringBuilder();
    b.append(String.format(Locale.ROOT, "{\"open_ms\":%.3f,\"records\":%d,\"segments\":%d,\"ns\":", openMs, reader.numDocs(), reader.leaves().size()));
    b.append(Arrays.toString(Arrays.copyOf(ns, n)));
    b.append(",\"totals\":").append(Arrays.toString(Arrays.copyOf(hits, n)));
    b.append(",\"exact\":").append(Arrays.toString(Arrays.copyOf(exact, n))).append("}");
    System.out.println(b);
  }

  static final java.lang.management.ThreadMXBean THREADS = java.lang.management.ManagementFactory.getThreadMXBean();

  static long clock(boolean cpu) { return cpu ? THREADS.getCurrentThreadCpuTime() : System.nanoTime(); }

  static class Answer {
    long total;
    boolean exact;
    long[] records;
    List<Object[]> facets = new ArrayList<>(); // field, value, count
  }

  static Query term(String field, String v) { return new TermQuery(new Term(field, v)); }

  static void must(BooleanQuery.Builder b, String field, String tokens) {
    for (String s : tokens.split(" ")) b.add(term(field, s), BooleanClause.Occur.MUST);
  }

  Answer one(String cls, String[] q, int totals) throws IOException {
    BooleanQuery.Builder b = new BooleanQuery.Builder();
    int size = HITS;
    switch (cls) {
      case "and2": case "zh3": must(b, "all", q[0]); break;
      case "common": return top(term("all", q[0]), size, totals);
      case "authtitle": must(b, "author", q[0]); must(b, "title", q[1]); break;
      case "ident": return top(term("ident", q[0]), size, totals);
      case "prefix":
        must(b, "title", q[0]);
        b.add(new PrefixQuery(new Term("title", q[1])), BooleanClause.Occur.MUST);
        size = 10;
        break;
      case "typo":
        b.add(new FuzzyQuery(new Term("all", q[0]), 1), BooleanClause.Occur.MUST);
        must(b, "all", q[1]);
        break;
      case "or3": for (String s : q) b.add(term("all", s), BooleanClause.Occur.SHOULD); break;
      case "facetmid": case "facetcommon": return facets(term("all", q[0]));
      case "sortyear": {
        TopFieldCollector c = TopFieldCollector.create(new Sort(new SortField("year", SortField.Type.INT, true)), size, totals);
        searcher.search(term("all", q[0]), c);
        return answer(c.topDocs());
      }
      case "filter":
        must(b, "all", q[0]);
        b.add(term("lang", q[1]), BooleanClause.Occur.FILTER);
        b.add(IntPoint.newRangeQuery("year", Integer.parseInt(q[2]), Integer.parseInt(q[3])), BooleanClause.Occur.FILTER);
        break;
      case "phrase": return top(new PhraseQuery("all", q[0].split(" ")), size, totals);
      default: throw new IllegalArgumentException(cls);
    }
    return top(b.build(), size, totals);
  }

  Answer top(Query q, int size, int totals) throws IOException {
    TopScoreDocCollector c = TopScoreDocCollector.create(size, null, totals);
    searcher.search(q, c);
    return answer(c.topDocs());
  }

  /** The record numbers of the hits, as the program would need them. */
  Answer answer(TopDocs top) throws IOException {
    Answer a = new Answer();
    a.total = top.totalHits.value;
    a.exact = top.totalHits.relation == TotalHits.Relation.EQUAL_TO;
    a.records = new long[top.scoreDocs.length];
    for (int i = 0; i < a.records.length; i++) {
      LeafReaderContext leaf = reader.leaves().get(ReaderUtil.subIndex(top.scoreDocs[i].doc, reader.leaves()));
      NumericDocValues id = leaf.reader().getNumericDocValues("id");
      id.advanceExact(top.scoreDocs[i].doc - leaf.docBase);
      a.records[i] = id.longValue();
    }
    return a;
  }

  /**
   * Counts by language, year and subject, and the best hits. The counts go from doc
   * values into arrays, which is faster than the classes of lucene-facet: these first
   * keep the hits in a bit set. The best hits are a search of their own, which may skip:
   * on a common word that is a fifth faster than scoring every hit in the one pass.
   */
  Answer facets(Query q) throws IOException {
    final int[] years = new int[4096];
    final Map<BytesRef, int[]> languages = new HashMap<>(), subjects = new HashMap<>();
    final List<Runnable> ends = new ArrayList<>();
    final long[] total = {0};
    Collector counts = new Collector() {
      public ScoreMode scoreMode() { return ScoreMode.COMPLETE_NO_SCORES; }
      public LeafCollector getLeafCollector(LeafReaderContext leaf) throws IOException {
        final NumericDocValues year = DocValues.getNumeric(leaf.reader(), "year");
        final SortedDocValues language = DocValues.getSorted(leaf.reader(), "lang");
        final SortedSetDocValues subject = DocValues.getSortedSet(leaf.reader(), "subject");
        final int[] l = new int[language.getValueCount()], s = new int[(int) subject.getValueCount()];
        ends.add(() -> {
          try {
            for (int i = 0; i < l.length; i++) if (l[i] > 0) add(languages, language.lookupOrd(i), l[i]);
            for (int i = 0; i < s.length; i++) if (s[i] > 0) add(subjects, subject.lookupOrd(i), s[i]);
          } catch (IOException e) { throw new UncheckedIOException(e); }
        });
        return new LeafCollector() {
          public void setScorer(Scorable x) {}
          public void collect(int d) throws IOException {
            total[0]++;
            if (year.advanceExact(d)) years[(int) year.longValue()]++;
            if (language.advanceExact(d)) l[language.ordValue()]++;
            if (subject.advanceExact(d))
              for (long o; (o = subject.nextOrd()) != SortedSetDocValues.NO_MORE_ORDS;) s[(int) o]++;
          }
        };
      }
    };
    searcher.search(q, counts);
    for (Runnable r : ends) r.run();
    TopScoreDocCollector top = TopScoreDocCollector.create(HITS, null, 1000);
    searcher.search(q, top);
    Answer a = answer(top.topDocs());
    a.total = total[0];
    a.exact = true;
    best(a, "lang", languages);
    best(a, "subject", subjects);
    Map<BytesRef, int[]> byYear = new HashMap<>();
    for (int y = 0; y < years.length; y++) if (years[y] > 0) add(byYear, new BytesRef(Integer.toString(y)), years[y]);
    best(a, "year", byYear);
    return a;
  }

  static void add(Map<BytesRef, int[]> m, BytesRef k, int n) {
    int[] v = m.get(k);
    if (v == null) m.put(BytesRef.deepCopyOf(k), new int[] {n}); else v[0] += n;
  }

  static void best(Answer a, String field, Map<BytesRef, int[]> m) {
    List<Map.Entry<BytesRef, int[]>> all = new ArrayList<>(m.entrySet());
    all.sort((x, y) -> Integer.compare(y.getValue()[0], x.getValue()[0]));
    for (Map.Entry<BytesRef, int[]> e : all.subList(0, Math.min(FACETS, all.size())))
      a.facets.add(new Object[] {field, e.getKey().utf8ToString(), e.getValue()[0]});
  }
}
