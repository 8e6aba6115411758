using System.Reflection;
using System.Text.RegularExpressions;
using PostTrain.Models;
using PostTrain.RewardModeling;
using PostTrain.Rewards;
using PostTrain.Rewards.Judges;
using PostTrain.Rewards.Steps;
using PostTrain.Tests.Support;
using PostTrain.Training;

namespace PostTrain.Tests.Documentation;

/// <summary>What the pages say exists: links, code, types and members, options, a page for everything that trains or rewards.</summary>
public class DocumentationTests
{
    private const BindingFlags Any = BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.FlattenHierarchy;
    private static readonly Type[] Types = PublicSurface.Types;
    private static readonly ILookup<string, Type> ByName = Types.ToLookup(type => type.Name.Split('`')[0]);

    [Fact]
    public void Links_Resolve()
    {
        var pages = Page.All.ToDictionary(page => page.Path);
        var broken = new List<string>();
        foreach (var page in Page.All)
        foreach (var (file, heading, line) in page.Links)
        {
            var target = file.Length == 0 ? page.Path : Path.GetFullPath(Path.Combine(Path.GetDirectoryName(page.Path)!, file));
            if (!File.Exists(target) && !Directory.Exists(target))
                broken.Add($"{page.Name}:{line}: {file} does not exist");
            else if (heading.Length > 0 && pages.TryGetValue(target, out var other) && !other.Anchors.Contains(heading))
                broken.Add($"{page.Name}:{line}: {file} has no heading #{heading}");
        }
        Assert.True(broken.Count == 0, string.Join('\n', broken));
        Assert.True(Page.All.Sum(page => page.Links.Count()) > 50);
    }

    [Fact]
    public void Snippets_Compile()
    {
        using var folder = new TemporaryDirectory();
        var errors = Snippets.Errors(Page.All, folder.Path);
        Assert.True(errors.Length == 0, string.Join('\n', errors));
        Assert.True(File.Exists(folder.File("Snippets.dll")));
    }

    [Fact]
    public void MembersInBackTicks_Exist()
    {
        var wrong = new List<string>();
        foreach (var page in Page.All)
        foreach (var (code, line) in page.InlineCode)
        foreach (Match match in Regex.Matches(code, @"(?<![\w./-])(?<type>[A-Z]\w*)(<\w+>)?\.(?<member>[A-Z]\w*)"))
        {
            var types = ByName[match.Groups["type"].Value].ToArray();
            if (types.Length > 0 && !types.Any(type => Has(type, match.Groups["member"].Value)))
                wrong.Add($"{page.Name}:{line}: {match.Value}");
        }
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    [Fact]
    public void OptionsOfTables_Exist()
    {
        var options = Types
            .Where(type =>
                type.Name.EndsWith("Options", StringComparison.Ordinal) || type.Name.EndsWith("Objective", StringComparison.Ordinal)
            )
            .SelectMany(type => type.GetProperties(Any))
            .Select(property => property.Name)
            .ToHashSet();
        var cells = Page
            .All.SelectMany(page =>
                page.Column("option")
                    .Select(row =>
                        (
                            page.Name,
                            row.Line,
                            Names: Regex
                                .Matches(row.Cell, @"`(\w+\.)*(?<name>[A-Z]\w*)`")
                                .Select(match => match.Groups["name"].Value)
                                .ToArray()
                        )
                    )
            )
            .ToArray();
        Assert.Empty(
            cells.SelectMany(cell => cell.Names.Where(name => !options.Contains(name)).Select(name => $"{cell.Name}:{cell.Line}: {name}"))
        );
        Assert.True(cells.Length > 30);
    }

    [Fact]
    public void EveryTrainer_HasAPage()
    {
        var trainers = Types.Where(type =>
            !type.IsAbstract
            && Bases(type)
                .Any(parent =>
                    parent == typeof(RolloutTrainer)
                    || (parent.IsGenericType && parent.GetGenericTypeDefinition() == typeof(DatasetTrainer<>))
                )
        );
        var titles = Page
            .All.Where(page => page.Name.StartsWith("docs/trainers/", StringComparison.Ordinal))
            .Select(page => page.Text.Split('\n')[0])
            .ToArray();
        Assert.All(trainers, trainer => Assert.Single(titles, title => title.Contains($"`{trainer.Name}`", StringComparison.Ordinal)));
        Assert.True(trainers.Count() >= 12);
    }

    [Fact]
    public void EveryReward_IsOnAPage()
    {
        var pages = string.Concat(
            Page.All.Where(page => page.Name.StartsWith("docs/rewards/", StringComparison.Ordinal)).Select(page => page.Text)
        );
        var makers = ((Type[])[typeof(Reward), typeof(Judge), typeof(LearnedRewards), typeof(StepReward), typeof(TokenReward)])
            .SelectMany(type =>
                type.GetMethods(BindingFlags.Public | BindingFlags.Static)
                    .Where(method => method.ReturnType.Name.EndsWith("Reward", StringComparison.Ordinal))
            )
            .Select(method => method.Name)
            .Distinct();
        Assert.All(makers, name => Assert.Matches($@"\b{name}\b", pages));
    }

    [Fact]
    public void ListOfTypes_IsComplete()
    {
        var listed = new List<string>();
        var section = "";
        foreach (var line in Page.All.Single(page => page.Name == "docs/api.md").Text.Split('\n'))
        {
            if (line.StartsWith("## ", StringComparison.Ordinal))
                section = line[3..];
            if (Regex.Match(line, @"^\| `(?<name>\w+)` \| (?<text>.+) \|$") is { Success: true } row)
                listed.Add($"{section}.{row.Groups["name"].Value}");
        }
        var types = Types.Where(type => !type.IsNested).Select(type => $"{type.Namespace}.{type.Name.Split('`')[0]}").ToHashSet();
        Assert.Equal([], types.Except(listed).Select(name => $"docs/api.md lacks a row of {name}"));
        Assert.Equal([], listed.Except(types).Select(name => $"docs/api.md has a row of {name}, which is not public"));
        Assert.Equal(listed.Count, listed.Distinct().Count());
    }

    [Fact]
    public void FirstProgram_OfATrainersPage_NamesItsNamespaces()
    {
        var pages = Page.All.Where(page => page.Name.StartsWith("docs/trainers/", StringComparison.Ordinal)).ToArray();
        Assert.All(pages, page => Assert.StartsWith("using ", page.Snippets.First().Code, StringComparison.Ordinal));
        Assert.True(pages.Length >= 14);
    }

    [Fact]
    public void EveryPage_IsReachedFromTheReadme()
    {
        var pages = Page.All.ToDictionary(page => page.Path);
        var seen = new HashSet<string>();
        var open = new Stack<string>([pages.Values.Single(page => page.Name == "README.md").Path]);
        while (open.TryPop(out var path))
            if (seen.Add(path))
                foreach (var (file, _, _) in pages[path].Links)
                    if (
                        file.Length > 0
                        && Path.GetFullPath(Path.Combine(Path.GetDirectoryName(path)!, file)) is var target
                        && pages.ContainsKey(target)
                    )
                        open.Push(target);
        Assert.Empty(pages.Where(page => !seen.Contains(page.Key)).Select(page => page.Value.Name));
    }

    [Fact]
    public void Index_LinksEveryPage()
    {
        var index = Page.All.Single(page => page.Name == "docs/index.md");
        var linked = index.Links.Select(link => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(index.Path)!, link.File))).ToHashSet();
        Assert.Empty(
            Page.All.Where(page => page.Name.StartsWith("docs/", StringComparison.Ordinal) && page != index && !linked.Contains(page.Path))
                .Select(page => page.Name)
        );
    }

    private static bool Has(Type type, string member) =>
        type.GetMember(member, Any | BindingFlags.NonPublic).Length > 0
        || Bases(type).Concat(type.GetInterfaces()).Any(parent => parent.GetMember(member, Any).Length > 0);

    private static IEnumerable<Type> Bases(Type type)
    {
        for (var parent = type.BaseType; parent is not null; parent = parent.BaseType)
            yield return parent;
    }
}
