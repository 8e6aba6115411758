using System.Text.RegularExpressions;
using ArchUnitNET.Domain;
using ArchUnitNET.Loader;
using PostTrain.Tests.Support;

namespace PostTrain.Tests.Architecture;

/// <summary>The table of layers in docs/architecture.md against what the compiled code uses.</summary>
public sealed partial class LayerTests
{
    private static readonly Dictionary<string, string[]> Table = ReadTable();

    [Fact]
    public void EachFolder_UsesOnlyWhatTheTableAllows()
    {
        var uses = new ArchLoader()
            .LoadAssemblies(PublicSurface.Assemblies)
            .Build()
            .Types.SelectMany(type => type.Dependencies)
            .Select(dependency => (From: dependency.Origin, To: dependency.Target))
            // A function's type parameter counts as that of whoever calls it with his own.
            .Where(use => use.To is not GenericParameter)
            .Where(use => Layer(use.From) is not null && Layer(use.To) is not null && Layer(use.From) != Layer(use.To))
            .ToArray();
        Assert.True(uses.Length > 1000, $"{uses.Length} uses between layers were found");
        Assert.Empty(Table.Keys.Except(uses.SelectMany(use => (string[])[Layer(use.From)!, Layer(use.To)!])).Except(["Laws", "Runtime"]));
        Assert.Empty(
            uses.Where(use => !Table[Layer(use.From)!].Contains(Layer(use.To)!))
                .Select(use => $"{Layer(use.From)} -> {Layer(use.To)}: {use.From.FullName} uses {use.To.FullName}")
                .Distinct()
                .Order(StringComparer.Ordinal)
        );
    }

    [Fact]
    public void Layers_HaveNoCycle()
    {
        var left = Table.ToDictionary(row => row.Key, row => row.Value.ToHashSet());
        while (left.FirstOrDefault(row => row.Value.Count == 0).Key is { } lowest)
        {
            left.Remove(lowest);
            foreach (var others in left.Values)
                others.Remove(lowest);
        }
        Assert.Empty(left.Select(row => $"{row.Key} -> {string.Join(", ", row.Value)}"));
    }

    [Fact]
    public void Table_NamesEachFolder_AndNoOther()
    {
        var folders = Directory
            .EnumerateDirectories(Path.Combine(RepositoryFolder.Root, "src", "PostTrain"))
            .Select(folder => Path.GetFileName(folder)!)
            .Except(["bin", "obj", "buildTransitive"]);
        Assert.Equal(folders.Append("PostTrain.Text").Order(StringComparer.Ordinal), Table.Keys.Order(StringComparer.Ordinal));
    }

    /// <summary>A folder is a namespace, or groups files of the namespace above it.</summary>
    [Fact]
    public void Folder_IsANamespaceOrAGroupInOne_AndIsShort_AsAreItsFiles()
    {
        foreach (var project in (string[])["PostTrain", "PostTrain.Text"])
        {
            var root = Path.Combine(RepositoryFolder.Root, "src", project);
            var folders = Directory
                .EnumerateFiles(root, "*.cs", SearchOption.AllDirectories)
                .Select(file => Path.GetRelativePath(root, file))
                .Where(file => !BuildOutput().IsMatch(file))
                .GroupBy(file => Path.GetDirectoryName(file)!.Replace(Path.DirectorySeparatorChar, '.'));
            foreach (var folder in folders)
            {
                var own = folder.Key == "" ? project : $"{project}.{folder.Key}";
                var above = own[..Math.Max(0, own.LastIndexOf('.'))];
                var names = folder.Select(file => NamespaceOf(Path.Combine(root, file))).OfType<string>().Distinct().ToArray();
                Assert.True(names.Length <= 1, $"{own} holds {string.Join(" and ", names)}, expected one namespace");
                Assert.True(
                    names.All(name => name == own || (name == above && above != "PostTrain")),
                    $"{own} is in namespace {string.Concat(names)}, expected {own} or {above}"
                );
                Assert.True(folder.Count() <= 20, $"{own} has {folder.Count()} files, expected at most 20");
            }
        }
    }

    private static string? NamespaceOf(string file)
    {
        var lines = File.ReadAllLines(file);
        Assert.True(lines.Length <= 400, $"{file} has {lines.Length} lines, expected at most 400");
        return lines.Select(line => Namespace().Match(line)).FirstOrDefault(match => match.Success)?.Groups[1].Value;
    }

    private static string? Layer(IType type)
    {
        var parts = type.FullName.Split('.', '+', '/');
        return parts is not ["PostTrain", var folder, ..] ? null
            : folder == "Text" ? "PostTrain.Text"
            : Table.ContainsKey(folder) ? folder
            : null;
    }

    // "all below" are the rows that follow; other cells name folders.
    private static Dictionary<string, string[]> ReadTable()
    {
        var page = File.ReadAllText(Path.Combine(RepositoryFolder.Root, "docs", "architecture.md"));
        var rows = Row()
            .Matches(page)
            .Select(match => (Folder: Names(match.Groups[1].Value)[0].Split('/')[0], Uses: match.Groups[2].Value))
            .ToArray();
        return rows.Select(
                (row, i) =>
                    (row.Folder, Uses: row.Uses == "all below" ? [.. rows[(i + 1)..].Select(other => other.Folder)] : Names(row.Uses))
            )
            .ToDictionary(row => row.Folder, row => row.Uses);
    }

    private static string[] Names(string cell) => [.. Code().Matches(cell).Select(match => match.Groups[1].Value)];

    [GeneratedRegex(@"^\| (`[A-Z].*?) \| .* \| (.*) \|$", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Code();

    [GeneratedRegex(@"^namespace ([\w.]+)")]
    private static partial Regex Namespace();

    [GeneratedRegex(@"^(bin|obj)[\\/]")]
    private static partial Regex BuildOutput();
}
