using PostTrain.Data;
using PostTrain.Data.Curation;

namespace PostTrain.Tests.Data;

public sealed class RougeLTests
{
    /// <summary>Lin 2004, section 3.1: S1 "police killed the gunman" against S2 "police kill the gunman" and S3 "the gunman kill police",
    /// with F1 = ¾ and ½.</summary>
    [Fact]
    public void Score_IsTheHandWorkedOne()
    {
        Assert.Equal(new RougeLScore(3, 4, 4), RougeL.Score("police kill the gunman", "Police killed the gunman."));
        Assert.Equal(0.75, RougeL.Score("police kill the gunman", "police killed the gunman").F1);
        Assert.Equal(0.5, RougeL.Score("the gunman kill police", "police killed the gunman").F1);

        // 2 of the candidate's 4 words, 2 of the reference's 3: P = ½, R = ⅔.
        var score = RougeL.Score("a x b y", "a b c");
        Assert.Equal((0.5, 2.0 / 3), (score.Precision, score.Recall));
        Assert.Equal(4.0 / 7, score.F1, 1e-15);
        Assert.Equal(score.F1, score.F(1), 1e-15);
        // (1 + 4)·½·⅔/(⅔ + 4·½) = (5/3)/(8/3)
        Assert.Equal(5.0 / 8, score.F(2), 1e-15);
        Assert.Equal(score.Recall, score.F(1e6), 1e-9);
        Assert.Equal(score.Precision, score.F(1e-6), 1e-9);
        Assert.Throws<ArgumentOutOfRangeException>(() => score.F(0));
    }

    [Fact]
    public void Score_OfNothing_IsZero()
    {
        foreach (var (one, two) in new[] { ("", ""), ("", "a"), ("a", ""), ("...", "a"), ("a", "b") })
        {
            var score = RougeL.Score(one, two);
            Assert.Equal((0, 0, 0, 0), (score.Precision, score.Recall, score.F1, score.F(2)));
        }
        Assert.Equal((-1, 0), new RougeLPool().Nearest("a"));
    }

    [Fact]
    public void Words_AreRunsOfLettersAndDigits()
    {
        Assert.Equal(["it", "s", "3", "5", "o", "clock", "año", "день", "𝒜"], RougeL.Words("  It's 3.5 O'CLOCK, año—День 𝒜!"));
        Assert.Empty(RougeL.Words(" ,.\n"));
    }

    /// <summary>Against the table of Wagner and Fischer: lengths around the blocks of 64, small alphabets, which make many ties, and large
    /// ones.</summary>
    [Fact]
    public void Score_EqualsTheTable()
    {
        var random = new Random(1);
        for (int trial = 0; trial < 400; trial++)
        {
            int alphabet = 1 + random.Next(trial % 2 == 0 ? 4 : 60);
            int[] first = Drawn(random, random.Next(trial % 4 == 0 ? 260 : 40), alphabet),
                second = Drawn(random, random.Next(trial % 3 == 0 ? 260 : 40), alphabet);
            Assert.Equal(new RougeLScore(Table(first, second), first.Length, second.Length), RougeL.Score(first, second));
        }
        foreach (int length in new[] { 63, 64, 65, 127, 128, 129 })
        {
            int[] same = Drawn(random, length, 3);
            Assert.Equal(length, RougeL.Score(same, same).Common);
            Assert.Equal(Table(same, [.. same.Reverse()]), RougeL.Score(same, [.. same.Reverse()]).Common);
        }
    }

    [Fact]
    public void Pool_FindsTheNearest_AsComparingEachDoes()
    {
        var random = new Random(2);
        string[] texts = [.. Enumerable.Range(0, 120).Select(_ => Sentence(random, random.Next(30))), Sentence(random, 200), "", "!"];
        var pool = new RougeLPool();
        foreach (string text in texts)
            pool.Add(text);
        Assert.Equal(texts.Length, pool.Count);
        for (int trial = 0; trial < 60; trial++)
        {
            string candidate = trial < 5 ? texts[trial] + " unknown" : Sentence(random, random.Next(trial % 5 == 0 ? 190 : 25));
            double[] scores = [.. texts.Select(text => RougeL.Score(candidate, text).F1)];
            var (index, nearest) = pool.Nearest(candidate);
            Assert.Equal(scores.Max(), nearest);
            Assert.Equal(scores.Max() > 0 ? Array.IndexOf(scores, scores.Max()) : -1, index);
        }
    }

    [Fact]
    public void DistinctNgrams_CountsByHand()
    {
        var pairs = new DistinctNgrams(2);
        Assert.Equal(0, pairs.Share);
        pairs.Add("a b a b");
        // ab, ba, ab
        Assert.Equal((3, 2), (pairs.Total, pairs.Distinct));
        pairs.Add("b c");
        pairs.Add("a");
        Assert.Equal((4, 3, 0.75), (pairs.Total, pairs.Distinct, pairs.Share));
        var triples = new DistinctNgrams(3);
        triples.Add("a b c a b c");
        // abc, bca, cab, abc
        Assert.Equal((4, 3), (triples.Total, triples.Distinct));
        Assert.Throws<ArgumentOutOfRangeException>(() => new DistinctNgrams(0));
    }

    private static string Sentence(Random random, int words) => string.Join(' ', Drawn(random, words, 40).Select(word => $"w{word}"));

    private static int[] Drawn(Random random, int length, int alphabet) =>
        [.. Enumerable.Range(0, length).Select(_ => random.Next(alphabet))];

    private static int Table(int[] first, int[] second)
    {
        var table = new int[first.Length + 1, second.Length + 1];
        for (int i = 1; i <= first.Length; i++)
        for (int j = 1; j <= second.Length; j++)
            table[i, j] = first[i - 1] == second[j - 1] ? table[i - 1, j - 1] + 1 : Math.Max(table[i - 1, j], table[i, j - 1]);
        return table[first.Length, second.Length];
    }
}
