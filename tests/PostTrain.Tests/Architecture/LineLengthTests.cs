using PostTrain.Tests.Support;

namespace PostTrain.Tests.Architecture;

/// <summary>Lines of the sources within .editorconfig's length.</summary>
public sealed class LineLengthTests
{
    private const int Limit = 140;
    private const string RawQuotes = "\"\"\"";

    /// <summary>The inside of a raw string literal is text or data that cannot be broken.</summary>
    [Theory]
    [InlineData("src")]
    [InlineData("samples")]
    [InlineData("benchmarks")]
    [InlineData("tests")]
    public void NoLine_IsLongerThanTheLimit(string folder)
    {
        var root = Path.Combine(RepositoryFolder.Root, folder);
        string[] files =
        [
            .. Directory
                .EnumerateFiles(root, "*.cs", SearchOption.AllDirectories)
                .Where(file => !file.Split(Path.DirectorySeparatorChar).Any(part => part is "bin" or "obj")),
        ];
        Assert.True(files.Length > 20, $"{folder} has {files.Length} files");
        Assert.Empty(files.SelectMany(file => LongLines(File.ReadAllLines(file)).Select(line => $"{file}:{line}")));
    }

    [Fact]
    public void LongLine_IsFound_OutsideOfRawLiterals()
    {
        var word = new string('x', Limit + 1);
        Assert.Equal([2, 6], LongLines(["a", word, $"b = {RawQuotes}", word, $"{RawQuotes};", word, $"{RawQuotes}a{RawQuotes}"]));
    }

    private static IEnumerable<int> LongLines(string[] lines)
    {
        bool isRaw = false;
        for (int i = 0; i < lines.Length; i++)
        {
            if (!isRaw && lines[i].Length > Limit)
                yield return i + 1;
            if ((lines[i].Split(RawQuotes).Length - 1) % 2 == 1)
                isRaw = !isRaw;
        }
    }
}
