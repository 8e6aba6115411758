using PostTrain.Data;
using PostTrain.Text.Files;

namespace PostTrain.Tests.Data;

public sealed class AtomicFileTests : IDisposable
{
    private readonly string directory = Directory.CreateTempSubdirectory("posttrain-").FullName;

    public void Dispose() => Directory.Delete(directory, recursive: true);

    private string InDirectory(string name) => Path.Combine(directory, name);

    private string[] Names() => [.. Directory.EnumerateFileSystemEntries(directory).Select(e => Path.GetFileName(e)!).Order()];

    [Fact]
    public void Write_NewFile_HoldsTheBytesAndNothingElseIsLeft()
    {
        AtomicFile.Write(InDirectory("a.bin"), stream => stream.Write([1, 2, 3]));

        Assert.Equal([1, 2, 3], File.ReadAllBytes(InDirectory("a.bin")));
        Assert.Equal(["a.bin"], Names());
    }

    [Fact]
    public void Write_ShorterContent_ReplacesTheWholeOldFile()
    {
        File.WriteAllText(InDirectory("a.txt"), "a long old text");

        AtomicFile.WriteText(InDirectory("a.txt"), "né");

        Assert.Equal([(byte)'n', 0xC3, 0xA9], File.ReadAllBytes(InDirectory("a.txt")));
    }

    [Fact]
    public void Write_MissingDirectories_AreCreated()
    {
        var path = Path.Combine(directory, "x", "y", "a.txt");

        AtomicFile.WriteText(path, "deep");

        Assert.Equal("deep", File.ReadAllText(path));
    }

    [Fact]
    public void Write_FailsInTheMiddle_OldFileStaysAndNoTemporaryIsLeft()
    {
        File.WriteAllText(InDirectory("a.txt"), "old");

        var thrown = Assert.Throws<IOException>(() =>
            AtomicFile.Write(
                InDirectory("a.txt"),
                stream =>
                {
                    stream.Write(new byte[100_000]);
                    stream.Flush();
                    throw new IOException("No space left on device");
                }
            )
        );

        Assert.Equal("No space left on device", thrown.Message);
        Assert.Equal("old", File.ReadAllText(InDirectory("a.txt")));
        Assert.Equal(["a.txt"], Names());
    }

    [Fact]
    public void Write_WhileTheCallbackRuns_ReadersSeeTheOldFile()
    {
        File.WriteAllText(InDirectory("a.txt"), "old");
        string? seen = null;

        AtomicFile.Write(
            InDirectory("a.txt"),
            stream =>
            {
                stream.Write("new"u8);
                stream.Flush();
                seen = File.ReadAllText(InDirectory("a.txt"));
            }
        );

        Assert.Equal("old", seen);
        Assert.Equal("new", File.ReadAllText(InDirectory("a.txt")));
    }

    [Fact]
    public void Write_CallbackClosesTheStream_IsRefusedAndOldFileStays()
    {
        // Once closed, the content can no longer be flushed to the disk before the rename.
        File.WriteAllText(InDirectory("a.txt"), "old");

        Assert.Throws<ObjectDisposedException>(() => AtomicFile.Write(InDirectory("a.txt"), stream => stream.Dispose()));

        Assert.Equal("old", File.ReadAllText(InDirectory("a.txt")));
        Assert.Equal(["a.txt"], Names());
    }

    [Fact]
    public void Write_TargetIsADirectory_ThrowsAndLeavesNoTemporary()
    {
        Directory.CreateDirectory(InDirectory("d"));

        Assert.ThrowsAny<Exception>(() => AtomicFile.WriteText(InDirectory("d"), "text"));

        Assert.Equal(["d"], Names());
    }

    [Fact]
    public void Write_NameAtTheLimitOfTheFileSystem_Works()
    {
        var name = new string('n', 250);

        AtomicFile.WriteText(InDirectory(name), "x");

        Assert.Equal([name], Names());
    }
}
