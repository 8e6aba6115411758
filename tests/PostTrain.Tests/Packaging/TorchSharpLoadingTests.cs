using PostTrain.Tests.Support;

namespace PostTrain.Tests.Packaging;

/// <summary>The native part of TorchSharp beside a program: the package's file but for one flag, which lets it load on an older
/// libstdc++.</summary>
public sealed class TorchSharpLoadingTests : IDisposable
{
    private const string Version = "GLIBCXX_3.4.32",
        Library = "libLibTorchSharp.so";
    private const ushort Weak = 2;
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    /// <summary>The file in the package cache.</summary>
    internal static string Original =>
        Path.Combine(
            PackageTests.MachineCache(),
            "torchsharp",
            PackageTests.Pinned("TorchSharp"),
            "runtimes",
            "linux-x64",
            "native",
            Library
        );

    [Fact]
    public void TestOutput_HasThePackagesFileWithOneFlagMore() =>
        CheckOneFlag(Path.Combine(AppContext.BaseDirectory, "runtimes", "linux-x64", "native", Library));

    [Fact]
    public void Task_LeavesWhatNeedsNothing_AndWhatIsNoLibrary()
    {
        var original = File.ReadAllBytes(Original);
        var weakened = directory.File("weak.so");
        Weaken(Original, weakened);
        CheckOneFlag(weakened);
        Assert.True(original.AsSpan().SequenceEqual(File.ReadAllBytes(Original)));

        File.WriteAllBytes(directory.File("truncated.so"), original[..^40_000]);
        File.WriteAllBytes(directory.File("header.so"), original[..64]);
        File.WriteAllText(directory.File("text.so"), "no library");
        File.WriteAllBytes(directory.File("empty.so"), []);
        foreach (var name in (string[])["weak.so", "truncated.so", "header.so", "text.so", "empty.so"])
        {
            Weaken(directory.File(name), directory.File("out/" + name));
            Assert.False(File.Exists(directory.File("out/" + name)), name);
        }
    }

    /// <summary>Exactly one byte differs: the flags of the one entry.</summary>
    internal static void CheckOneFlag(string edited)
    {
        var (before, after) = (File.ReadAllBytes(Original), File.ReadAllBytes(edited));
        Assert.Equal(before.Length, after.Length);
        var need = VersionNeeds.Read(Original).Single(item => item.Version == Version);
        Assert.Equal(("libstdc++.so.6", (ushort)0), (need.Library, need.Flags));
        Assert.Equal([need.FlagsOffset], Enumerable.Range(0, before.Length).Where(i => before[i] != after[i]));
        Assert.Equal(Weak, VersionNeeds.Read(edited).Single(item => item.Version == Version).Flags);
    }

    private void Weaken(string source, string destination)
    {
        File.WriteAllText(
            directory.File("weaken.proj"),
            $"""
            <Project>
              <Import Project="{Path.Combine(RepositoryFolder.Root, "src", "PostTrain", "buildTransitive", "PostTrain.targets")}" />
              <Target Name="Weaken"><PostTrainWeakenLibstdcxxVersion Source="{source}" Destination="{destination}" /></Target>
            </Project>
            """
        );
        var (code, output, errors) = DotnetCommand.Start(
            directory.Path,
            Limit,
            new Dictionary<string, string> { ["MSBUILDDISABLENODEREUSE"] = "1" },
            "msbuild",
            "weaken.proj",
            "-t:Weaken",
            "-nologo",
            "-v:quiet"
        );
        Assert.True(code == 0, output + errors);
    }
}
