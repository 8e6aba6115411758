using System.Text;
using PostTrain.Data;
using PostTrain.Tests.Support;

namespace PostTrain.Tests.Data;

public sealed class JsonLinesTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    public sealed record Row(string ModelAnswer, int StepCount = 7);

    [Fact]
    public void Read_KnowsNamesInEveryCase()
    {
        var path = directory.Write(
            "rows.jsonl",
            """
            {"modelAnswer":"a","stepCount":1}
            {"model_answer":"b","step_count":2}
            {"ModelAnswer":"c"}
            {"MODEL_ANSWER":"d","unknown":[1,{}]}
            """
        );
        Assert.Equal([new Row("a", 1), new Row("b", 2), new Row("c"), new Row("d")], JsonLines.Read<Row>(path));
    }

    [Theory]
    [InlineData("\n")]
    [InlineData("\r\n")]
    public void Read_SkipsBlankLinesAndTheByteOrderMark(string lineEnd)
    {
        var text = string.Join(lineEnd, "{\"prompt\":\"1+1=\",\"answer\":\"2\"}", "", "  \t", "{\"prompt\":\"ü\"}");
        var path = directory.Write("p.jsonl", [.. Encoding.UTF8.Preamble, .. Encoding.UTF8.GetBytes(text)]);
        Assert.Equal([new Problem("1+1=", "2"), new Problem("ü")], JsonLines.Read<Problem>(path));
    }

    [Theory]
    [InlineData("{\"prompt\":\"a\"}", "chosen")]
    [InlineData("{\"prompt\":\"a\",\"chosen\":\"b\",\"rejected\":null}", "rejected")]
    [InlineData("{\"prompt\":\"a\",\"chosen\":\"b\",\"rejected\":3}", "(at $.rejected)")]
    [InlineData("{\"prompt\":\"a\",\"prompt\":\"b\",\"chosen\":\"c\",\"rejected\":\"d\"}", "prompt")]
    [InlineData("{\"prompt\":\"a\",\"Prompt\":\"b\",\"chosen\":\"c\",\"rejected\":\"d\"}", "rompt")]
    [InlineData("{\"prompt\":\"a\",\"pro_mpt\":\"b\",\"chosen\":\"c\",\"rejected\":\"d\"}", "rompt")]
    [InlineData("[1,2]", "found a JSON array")]
    [InlineData("null", "found a JSON null")]
    [InlineData("not json", "is an invalid JSON literal")]
    [InlineData("{\"prompt\":\"a\"", "expected a JSON object with the fields prompt, chosen, rejected")]
    [InlineData("{\"prompt\":\"\\ud800\",\"chosen\":\"b\",\"rejected\":\"c\"}", "expected a JSON object")]
    public void Read_NamesFileLineFoundAndExpected(string line, string part)
    {
        var path = directory.Write("pairs.jsonl", "{\"prompt\":\"a\",\"chosen\":\"b\",\"rejected\":\"c\"}\n\n" + line + "\n");
        var error = Assert.Throws<InvalidDataException>(() => JsonLines.Read<PreferencePair>(path));
        Assert.StartsWith($"{path}, line 3: ", error.Message, StringComparison.Ordinal);
        Assert.Contains(part, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("LineNumber", error.Message, StringComparison.Ordinal);
        Assert.EndsWith(
            "expected a JSON object with the fields prompt, chosen, rejected, probability (optional)",
            error.Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Read_BytesThatAreNotUtf8_NamesTheLine()
    {
        var path = directory.Write("p.jsonl", [.. "{\"prompt\":\""u8, 0xFF, 0xFE, .. "\"}"u8]);
        Assert.StartsWith(
            $"{path}, line 1: ",
            Assert.Throws<InvalidDataException>(() => JsonLines.Read<Problem>(path)).Message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("")]
    [InlineData("\n \n\r\n")]
    public void Read_FileWithoutRecords_SaysSo(string content)
    {
        var path = directory.Write("empty.jsonl", content);
        var error = Assert.Throws<InvalidDataException>(() => JsonLines.Read<Problem>(path));
        Assert.Equal($"{path} holds no records, expected one JSON object a line with the fields prompt, answer (optional)", error.Message);
    }

    [Fact]
    public void Read_MissingFileOrDirectory_NamesThePath()
    {
        Assert.Contains(
            "none.jsonl does not exist",
            Assert.Throws<FileNotFoundException>(() => JsonLines.Read<Problem>(directory.File("none.jsonl"))).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "is a directory",
            Assert.Throws<FileNotFoundException>(() => JsonLines.Read<Problem>(directory.Path)).Message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData(200_000)]
    [InlineData(100)]
    public void Read_LineOverTheLimit_IsRefused(int limit)
    {
        string Line(int length) => $"{{\"prompt\":\"{new string('x', length - 13)}\"}}";
        var path = directory.Write("long.jsonl", Line(limit) + "\n" + Line(limit) + "\n" + Line(limit + 1));
        var error = Assert.Throws<InvalidDataException>(() => JsonLines.Read<Problem>(path, limit));
        Assert.Contains($"line 3: the line has more than {limit} bytes", error.Message, StringComparison.Ordinal);
        Assert.Equal(3, JsonLines.Read<Problem>(path, limit + 1).Count);
    }

    [Fact]
    public void Write_ThenRead_GivesTheSameRecords()
    {
        Problem[] problems = [new("line\nend \"quoted\" \\ \u2028 ü 😀", "42"), new("", null), new("x", "")];
        var path = directory.File("out/p.jsonl");
        JsonLines.Write(path, problems);
        Assert.Equal(problems, JsonLines.Read<Problem>(path));
        Assert.Equal(3, File.ReadAllLines(path).Length);
        Assert.StartsWith("{\"prompt\":", File.ReadAllText(path), StringComparison.Ordinal);
    }

    [Fact]
    public void Write_FailureWhileWriting_LeavesTheOldFile()
    {
        var path = directory.Write("p.jsonl", "old");
        IEnumerable<Problem> Broken()
        {
            yield return new Problem("a");
            throw new InvalidOperationException("source failed");
        }

        Assert.Throws<InvalidOperationException>(() => JsonLines.Write(path, Broken()));
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Single(Directory.GetFiles(directory.Path));
    }
}
