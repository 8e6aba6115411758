using System.Reflection;
using System.Text.Json;
using System.Xml.Linq;
using PostTrain.Models;
using PostTrain.Tests.Support;
using PostTrain.Text;

namespace PostTrain.Tests.Packaging;

/// <summary>The packages as a user gets them: from a folder, into a project that knows nothing of the repository.</summary>
[Collection("Sequential")]
public sealed class PackageTests : IDisposable
{
    private static readonly string Configuration = new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name;
    private static readonly Dictionary<string, string> Quiet = new()
    {
        ["MSBUILDDISABLENODEREUSE"] = "1",
        ["UseSharedCompilation"] = "false",
        ["DOTNET_NOLOGO"] = "1",
    };
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5);
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public void Packages_HoldWhatAUserNeeds_AndNothingElse()
    {
        Pack();
        var version = typeof(Pretrained)
            .Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!
            .InformationalVersion.Split('+')[0];
        Assert.Equal(DocumentedProject.Version, version);
        using var library = new PackageFile(directory.Path, "PostTrain", version);
        CheckDescription(library, typeof(Pretrained).Assembly, version);
        string[] needed =
        [
            "MathNet.Numerics",
            "Microsoft.Extensions.AI.Abstractions",
            "Parquet.Net",
            "Polly.Core",
            "Sep",
            "TorchSharp",
            "YamlDotNet",
        ];
        Assert.Equal([("PostTrain.Text", version), .. needed.Select(id => (id, Pinned(id)))], library.Dependencies);
        Assert.Equal(
            [
                "LICENSE",
                "PostTrain.nuspec",
                "README.md",
                "buildTransitive/PostTrain.targets",
                "lib/net10.0/PostTrain.dll",
                "lib/net10.0/PostTrain.xml",
            ],
            library.Files.Order(StringComparer.Ordinal)
        );
    }

    [Fact]
    public void TextPackage_HasNoTensors()
    {
        Pack();
        using var text = new PackageFile(directory.Path, "PostTrain.Text", DocumentedProject.Version);
        CheckDescription(text, typeof(ITokenizer).Assembly, DocumentedProject.Version);
        Assert.Empty(text.Dependencies);
        Assert.Equal(
            ["LICENSE", "PostTrain.Text.nuspec", "README.md", "lib/net10.0/PostTrain.Text.dll", "lib/net10.0/PostTrain.Text.xml"],
            text.Files.Order(StringComparer.Ordinal)
        );
        Assert.All(
            typeof(ITokenizer).Assembly.GetReferencedAssemblies(),
            name => Assert.StartsWith("System.", name.Name, StringComparison.Ordinal)
        );
    }

    [Fact]
    public void ProjectOutsideTheRepository_RestoresFromTheFolder_AndTrains()
    {
        const string version = "9.8.7-local.1";
        Pack($"-p:PackageVersion={version}");
        var app = Directory.CreateDirectory(directory.File("app")).FullName;
        DocumentedProject.Write(app, directory.Path, MachineCache(), version);
        var cache = directory.File("cache");
        var published = directory.File("published");
        // What the machine has unpacked of others is read where it lies.
        Dictionary<string, string> ownCache = new(Quiet) { ["NUGET_PACKAGES"] = cache, ["NUGET_FALLBACK_PACKAGES"] = MachineCache() };
        string[] publish = ["publish", "-c", "Release", "-o", published, "-v", "quiet", "--tl:off"];
        Run(app, ownCache, publish);
        Assert.True(File.Exists(Path.Combine(cache, "posttrain", version, "lib", "net10.0", "PostTrain.dll")));
        var built = Path.Combine(app, "bin", "Release", "net10.0");
        foreach (var folder in (string[])[built, published])
        {
            TorchSharpLoadingTests.CheckOneFlag(Path.Combine(folder, "runtimes", "linux-x64", "native", "libLibTorchSharp.so"));
            CheckTrains(
                Run(
                    directory.Path,
                    Quiet,
                    Path.Combine(folder, "App.dll"),
                    Path.Combine(RepositoryFolder.Root, "samples", "models", "arithmetic-base")
                )
            );
        }
        WalkTheRoad(Directory.CreateDirectory(directory.File("road")).FullName, version, ownCache);
    }

    // Conversations of two turns, LoRA, DPO, GRPO with an asynchronous reward, saved, loaded, asked; once straight on and once killed
    // after step 7 and gone on with, to the same bytes.
    private void WalkTheRoad(string road, string version, Dictionary<string, string> ownCache)
    {
        DocumentedProject.Write(road, directory.Path, MachineCache(), version);
        File.Copy(
            Path.Combine(RepositoryFolder.Root, "tests", "PostTrain.Tests", "Packaging", "Road.txt"),
            Path.Combine(road, "Program.cs"),
            overwrite: true
        );
        Run(road, ownCache, "build", "-c", "Release", "-v", "quiet", "--tl:off");
        var program = Path.Combine(road, "bin", "Release", "net10.0", "App.dll");
        var straight = Lines(Run(road, Quiet, program, "straight", "0"));
        Assert.Equal(
            ["SFT learns True", "DPO steps 4", "GRPO step 1 rewards True", "GRPO step 2 rewards True"],
            straight.Take(straight.Length - 2)
        );
        Assert.StartsWith("answer ", straight[^2], StringComparison.Ordinal);
        Assert.NotEqual(0, DotnetCommand.Start(road, Limit, Quiet, program, "killed", "7").Code);
        Assert.Equal(["SFT goes on", .. straight], Lines(Run(road, Quiet, program, "killed", "0")));
    }

    private static string[] Lines(string output) =>
        output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static void CheckTrains(string text)
    {
        var lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(3, lines.Length);
        Assert.Matches(@"^SFT loss \d+\.\d+ -> \d+\.\d+$", lines[0]);
        foreach (var step in (int[])[1, 2])
            Assert.Matches($@"^GRPO step {step}  reward [01]\.\d+  entropy \d+\.\d+$", lines[step]);
    }

    private static void CheckDescription(PackageFile package, Assembly assembly, string version)
    {
        var documented = XDocument
            .Parse(package.Text($"lib/net10.0/{package.Id}.xml"))
            .Descendants("member")
            .Where(member => member.Element("summary")?.Value.Trim().Length > 0)
            .Select(member => member.Attribute("name")!.Value)
            .ToHashSet();
        Assert.All(assembly.GetExportedTypes(), type => Assert.Contains($"T:{type.FullName!.Replace('+', '.')}", documented));
        Assert.Equal(
            (package.Id, version, "MIT", "README.md"),
            (package.Field("id"), package.Field("version"), package.Field("license"), package.Field("readme"))
        );
        Assert.True(
            package.Field("description").Length > 40
                && package.Field("authors").Length > 0
                && package.Field("tags").Contains("llm", StringComparison.Ordinal)
        );
        foreach (var name in (string[])["README.md", "LICENSE"])
            Assert.Equal(File.ReadAllText(Path.Combine(RepositoryFolder.Root, name)), package.Text(name));
        Assert.True(package.SymbolsBelongToTheAssembly());
    }

    // What was built, as the README's command does.
    private void Pack(params string[] more) =>
        Run(
            RepositoryFolder.Root,
            Quiet,
            ["pack", "PostTrain.sln", "-c", Configuration, "--no-build", "-o", directory.Path, "-v", "quiet", "-nologo", .. more]
        );

    // Where restoring the library found the packages that it depends on.
    internal static string MachineCache()
    {
        using var assets = JsonDocument.Parse(
            File.ReadAllText(Path.Combine(RepositoryFolder.Root, "src", "PostTrain", "obj", "project.assets.json"))
        );
        return assets.RootElement.GetProperty("packageFolders").EnumerateObject().First().Name;
    }

    internal static string Pinned(string id) =>
        XDocument
            .Load(Path.Combine(RepositoryFolder.Root, "Directory.Packages.props"))
            .Descendants("PackageVersion")
            .Single(item => item.Attribute("Include")!.Value == id)
            .Attribute("Version")!
            .Value;

    private static string Run(string folder, Dictionary<string, string> environment, params string[] arguments)
    {
        var (code, output, errors) = DotnetCommand.Start(folder, Limit, environment, arguments);
        Assert.True(code == 0, $"dotnet {string.Join(' ', arguments)} ended with {code}:\n{output}\n{errors}");
        return output;
    }
}
