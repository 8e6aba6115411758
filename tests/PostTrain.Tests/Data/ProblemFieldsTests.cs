using System.Text.Json;
using PostTrain.Data;
using PostTrain.Data.Records;
using PostTrain.Rewards;
using PostTrain.Tests.Support;

namespace PostTrain.Tests.Data;

public sealed class ProblemFieldsTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public void Problems_AreEqual_WherePromptAnswerAndFieldsAre()
    {
        Problem Of(object unit, params string[] tests) => new("1+1=", "2") { Fields = ProblemFields.Of(("unit", unit), ("tests", tests)) };

        Assert.Equal(Of("km", "a", "b"), Of("km", "a", "b"));
        Assert.Equal(Of("km", "a", "b").GetHashCode(), Of("km", "a", "b").GetHashCode());
        Assert.Equal(Of(1), Of(1.0));
        Assert.NotEqual(Of("km", "a", "b"), Of("m", "a", "b"));
        Assert.NotEqual(Of("km", "a", "b"), Of("km", "b", "a"));
        Assert.NotEqual(Of("km"), new Problem("1+1=", "2"));
        Assert.NotEqual(ProblemFields.Of(("a", 1)), ProblemFields.Of(("b", 1)));
        Assert.Equal(ProblemFields.Of(("a", 1), ("b", 2)), ProblemFields.Of(("b", 2), ("a", 1)));
        Assert.Equal(ProblemFields.Empty, new Problem("x").Fields);
        // Fields go along with a problem whose prompt changes.
        Assert.Equal("km", (Of("km") with { Prompt = "2+2=" }).Fields.Text("unit"));
    }

    [Fact]
    public void JsonLines_FillAndKeepThem()
    {
        var path = directory.Write(
            "p.jsonl",
            """{"id":7,"prompt":"a=","tests":["f(1)","f(2)"],"Answer":"1","meta":{"level":3,"none":null},"unit_name":"km"}"""u8.ToArray()
        );
        var problem = Assert.Single(JsonLines.Read<Problem>(path));
        Assert.Equal("1", problem.Answer);
        Assert.Equal(["id", "tests", "meta", "unit_name"], problem.Fields.Values.Keys);
        Assert.Equal(["f(1)", "f(2)"], problem.Fields["tests"].EnumerateArray().Select(test => test.GetString()));
        Assert.Equal(3, problem.Fields["meta"].GetProperty("level").GetInt32());
        Assert.Equal("7", problem.Fields.Text("id"));
        Assert.Null(problem.Fields.Text("missing"));
        var error = Assert.Throws<KeyNotFoundException>(() => problem.Fields["units"]);
        Assert.Contains("no field 'units', expected one of: id, tests, meta, unit_name", error.Message, StringComparison.Ordinal);

        var copy = directory.File("copy.jsonl");
        JsonLines.Write(copy, [problem, new Problem("b=")]);
        Assert.Equal([problem, new Problem("b=")], JsonLines.Read<Problem>(copy));
        Assert.Contains("\"unit_name\":\"km\"", File.ReadAllText(copy), StringComparison.Ordinal);

        directory.Write("broken.jsonl", """{"question":"a"}"""u8.ToArray());
        var refused = Assert.Throws<InvalidDataException>(() => JsonLines.Read<Problem>(directory.File("broken.jsonl")));
        Assert.EndsWith("expected a JSON object with the fields prompt, answer (optional)", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void RecordReader_KeepsWhatIsNeitherPromptNorAnswer()
    {
        var path = directory.Write(
            "r.jsonl",
            """{"ID":"c-1","Body":"He has 3.","Question":"How many?","Answer":3,"Type":"Subtraction"}"""u8.ToArray()
        );
        var problem = Assert.Single(RecordReader.Problems(path, InstructionTemplate.Plain));
        Assert.Equal(new Problem(problem.Prompt, "3") { Fields = ProblemFields.Of(("ID", "c-1"), ("Type", "Subtraction")) }, problem);
    }

    [Fact]
    public void RepeatedNames_AreRefused() =>
        Assert.Contains(
            "fields holds 'a' twice",
            Assert.Throws<ArgumentException>(() => ProblemFields.Of(("a", 1), ("a", 2))).Message,
            StringComparison.Ordinal
        );

    [Fact]
    public async Task Rewards_ReadThem()
    {
        var reward = Reward.Of(
            "tests",
            completion =>
                completion
                    .Problem.Fields["tests"]
                    .EnumerateArray()
                    .Count(test => completion.Text.Contains(test.GetString()!, StringComparison.Ordinal))
        );
        var problem = new Problem("p") { Fields = ProblemFields.Of(("tests", new[] { "x", "y", "z" })) };
        var scores = await Scoring.ScoreCheckedAsync(reward, [new(problem, "xy", [1], true), new(problem, "zzz", [1], true)]);
        Assert.Equal([2, 1], scores.Values);
    }
}
