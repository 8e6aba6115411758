using System.Text.Json;
using PostTrain.Data;
using PostTrain.Data.Curation;
using PostTrain.Recipes;
using PostTrain.Rewards;
using PostTrain.Tests.Support;
using PostTrain.Training.Reports;

namespace PostTrain.Tests.Data.Curation;

/// <summary>Curation of data sets: what goes, what stays, and what a record says of it.</summary>
public sealed class CurationSetTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public void Duplicates_GoButTheFirst_UpToWhiteSpace()
    {
        var set = Of("2 + 2", "2  +\n2", "2+2", "2 + 2").WithoutDuplicates();
        Assert.Equal([0, 2], set.Records.Select(record => record.Provenance.Index));
        Assert.Equal(["as toys[0]", "as toys[0]"], set.Removed.Select(record => record.Provenance.Steps[^1].Detail));
        Assert.Equal(new CurationStep("exact duplicates", 4, 2), set.Steps.Single());
    }

    // One word of ten differs: 3-shingles, 8 of each, 5 in common, J = 5/11. Of "ten words" with the last one gone 7 of 8 are common.
    [Fact]
    public void NearDuplicates_GoByTheSimilarityOfTheirShingles()
    {
        const string text = "one two three four five six seven eight nine ten",
            changed = "one two three four other six seven eight nine ten",
            shorter = "one two three four five six seven eight nine";
        Assert.Equal(5.0 / 11, MinHash.Jaccard(text, changed), 1e-12);
        Assert.Equal(7.0 / 8, MinHash.Jaccard(text, shorter), 1e-12);
        var near = Of(text, changed, shorter).WithoutNearDuplicates();
        Assert.Equal([0, 1], near.Records.Select(record => record.Provenance.Index));
        Assert.Equal("0.88 as toys[0]", near.Removed.Single().Provenance.Steps[^1].Detail);
        Assert.Single(Of(text, changed, shorter).WithoutNearDuplicates(new MinHashOptions { Threshold = 0.4, Bands = 64 }).Records);
        // Signs count: these are different problems.
        Assert.Equal(2, Of("3 + 4 + 5 = ?", "3 - 4 - 5 = ?").WithoutNearDuplicates().Records.Count);
    }

    // A run of 13 words in common is found, one of 12 is not; with n = 8 both are, one of 7 is not.
    [Theory]
    [InlineData(13, 13, true)]
    [InlineData(13, 12, false)]
    [InlineData(8, 8, true)]
    [InlineData(8, 7, false)]
    public void Contamination_IsARunOfNWords(int size, int common, bool found)
    {
        string[] benchmark = [.. Enumerable.Range(0, 20).Select(i => $"w{i}")];
        var index = new NgramIndex(["something else entirely that is quite long enough to count", string.Join(' ', benchmark)], size);
        string text = "Before, " + string.Join("; ", benchmark.Skip(3).Take(common)).ToUpperInvariant() + " after.";
        var set = Of(text, "clean").WithoutContamination(index);
        Assert.Equal(found ? 1 : 2, set.Records.Count);
        if (found)
            Assert.Equal(1, index.Find(text)!.TextIndex);
    }

    [Fact]
    public void Contamination_ShortTextsCountAsAWhole_OrAreIgnored()
    {
        var index = new NgramIndex(["a b c d e f g h i", "a b c"], size: 13);
        Assert.Equal((1, 1), (index.Count, index.Ignored));
        Assert.Equal("a b c d e f g h i", index.Find("x a b c d e f g h i y")!.Ngram);
        Assert.Null(index.Find("a b c d e f g h"));
    }

    [Fact]
    public void Filters_ByLengthAndScript()
    {
        var set = Of("one", "one two three", "раз два три", "1 + 1 = 2").WithLength(2, 5);
        Assert.Equal("1 words", set.Removed.Single().Provenance.Steps[^1].Detail);
        var latin = set.InScripts(WritingScripts.Latin);
        Assert.Equal([1, 3], latin.Records.Select(record => record.Provenance.Index));
        Assert.Throws<ArgumentOutOfRangeException>(() => set.WithLength(3, 2));
    }

    // From two sources through every step into the file, and from there into the next curation.
    [Fact]
    public void Provenance_IsInTheSavedSet()
    {
        var one = CurationSet.Of(
            [new Problem("What is 1+1?", "2"), new Problem("What is 1+1?", "2")],
            "one",
            problem => problem.Prompt.Text
        );
        var two = CurationSet.Of(
            [new Problem("What is the sum of 3 and 4? (A) 6 (B) 7 (C) 8", "B")],
            "two",
            problem => problem.Prompt.Text
        );
        var set = one.With(two).WithoutDuplicates().Suitable();
        set.Save(directory.File("set.jsonl"));
        set.SaveRemoved(directory.File("removed.jsonl"));
        var saved = JsonLines.Read<Problem>(directory.File("set.jsonl"));
        Assert.Equal(["What is 1+1?", "What is the sum of 3 and 4?"], saved.Select(problem => problem.Prompt.Text));
        Assert.Equal("7", saved[1].Answer);
        var provenance = saved[1].Fields.Values["provenance"];
        Assert.Equal(("two", 0), (provenance.GetProperty("source").GetString(), provenance.GetProperty("index").GetInt32()));
        Assert.Equal(
            ["exact duplicates", "multiple choice", "verifiable, open-ended, closed-form"],
            provenance.GetProperty("steps").EnumerateArray().Select(step => step.GetProperty("name").GetString())
        );
        Assert.StartsWith("was: What is the sum of 3 and 4? (A)", provenance.GetProperty("steps")[1].GetProperty("detail").GetString());
        Assert.Equal(
            "as one[0]",
            Steps(JsonLines.Read<Problem>(directory.File("removed.jsonl")).Single())[^1].GetProperty("detail").GetString()
        );

        var again = CurationSet.Read<Problem>(directory.File("set.jsonl"), problem => problem.Prompt.Text).WithoutDuplicates();
        again.Save(directory.File("again.jsonl"));
        var last = JsonLines.Read<Problem>(directory.File("again.jsonl"))[1].Fields.Values["provenance"];
        Assert.Equal("set.jsonl", last.GetProperty("source").GetString());
        Assert.Equal("two", last.GetProperty("before").GetProperty("source").GetString());
    }

    [Fact]
    public void SolveRates_AreNotedAndChooseTheBand()
    {
        Problem[] problems = [new("a", "1"), new("b", "2"), new("c", "3")];
        SolveRate[] rates = [.. problems.Select((problem, i) => new SolveRate(problem, new Proportion(i * 4, 8)))];
        var set = CurationSet.Of(problems, "toys", problem => problem.Prompt.Text).WithSolveRates(rates, 0.1, 0.9);
        Assert.Equal("b", set.Values.Single().Prompt.Text);
        Assert.Equal(0.5, set.Values.Single().Fields.Values["solve_rate"].GetDouble());
        Assert.StartsWith("50.0 %", set.Records.Single().Provenance.Steps[0].Detail);
        Assert.Throws<ArgumentException>(() => CurationSet.Of([problems[0]], "x", problem => problem.Prompt.Text).WithSolveRates(rates));
    }

    private static JsonElement[] Steps(Problem problem) => [.. problem.Fields.Values["provenance"].GetProperty("steps").EnumerateArray()];

    private static CurationSet<string> Of(params string[] texts) => CurationSet.Of(texts, "toys", text => text);
}
