import java.io.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;
import org.apache.lucene.analysis.Analyzer;
import org.apache.lucene.analysis.cjk.CJKAnalyzer;
import org.apache.lucene.analysis.cn.smart.SmartChineseAnalyzer;
import org.apache.lucene.analysis.en.EnglishAnalyzer;
import org.apache.lucene.document.*;
import org.apache.lucene.index.*;
import org.apache.lucene.search.*;
import org.apache.lucene.search.similarities.BM25Similarity;
import org.apache.lucene.store.ByteBuffersDirectory;
import org.apache.lucene.util.QueryBuilder;

/**
 * Ranks by Lucene's BM25 with its own analysis. DOCS and QUERIES have an identifier, a
 * tab and a text in each line; the answer is query, tab, document, best first.
 *
 *   Ranker english|cjk|smartcn words|phrase DOCS QUERIES DEPTH
 */
public class Ranker {
  public static void main(String[] a) throws Exception {
    Analyzer analyzer;
    switch (a[0]) {
      case "english": analyzer = new EnglishAnalyzer(); break;
      case "cjk": analyzer = new CJKAnalyzer(); break;
      case "smartcn": analyzer = new SmartChineseAnalyzer(); break;
      default: throw new IllegalArgumentException(a[0]);
    }
    ByteBuffersDirectory dir = new ByteBuffersDirectory();
    IndexWriter writer = new IndexWriter(dir, new IndexWriterConfig(analyzer).setSimilarity(new BM25Similarity()));
    for (String line : Files.readAllLines(Paths.get(a[2]), StandardCharsets.UTF_8)) {
      int tab = line.indexOf('\t');
      Document d = new Document();
      d.add(new StringField("id", line.substring(0, tab), Field.Store.YES));
      d.add(new TextField("text", line.substring(tab + 1), Field.Store.NO));
      writer.addDocument(d);
    }
    writer.forceMerge(1);
    writer.close();
    IndexSearcher searcher = new IndexSearcher(DirectoryReader.open(dir));
    searcher.setSimilarity(new BM25Similarity());
    QueryBuilder builder = new QueryBuilder(analyzer);
    PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), false, "UTF-8");
    for (String line : Files.readAllLines(Paths.get(a[3]), StandardCharsets.UTF_8)) {
      int tab = line.indexOf('\t');
      String text = line.substring(tab + 1);
      Query q = a[1].equals("phrase") ? builder.createPhraseQuery("text", text)
          : builder.createBooleanQuery("text", text, BooleanClause.Occur.SHOULD);
      if (q == null) continue;
      for (ScoreDoc hit : searcher.search(q, Integer.parseInt(a[4])).scoreDocs)
        out.println(line.substring(0, tab) + "\t" + searcher.doc(hit.doc).get("id"));
    }
    out.flush();
  }
}
