using System.Text.RegularExpressions;
using PostTrain.Tests.Support;

namespace PostTrain.Tests.Documentation;

/// <summary>A Markdown page of the project.</summary>
/// <param name="Name">Its path below the root.</param>
/// <param name="Text">All of it.</param>
internal sealed record Page(string Name, string Text)
{
    /// <summary>The README and every page of docs.</summary>
    internal static IReadOnlyList<Page> All { get; } =
    [
        .. Directory
            .EnumerateFiles(System.IO.Path.Combine(RepositoryFolder.Root, "docs"), "*.md", SearchOption.AllDirectories)
            .Append(System.IO.Path.Combine(RepositoryFolder.Root, "README.md"))
            .Order(StringComparer.Ordinal)
            .Select(path => new Page(
                System.IO.Path.GetRelativePath(RepositoryFolder.Root, path).Replace('\\', '/'),
                File.ReadAllText(path)
            )),
    ];

    internal string Path => System.IO.Path.Combine(RepositoryFolder.Root, Name);

    /// <summary>The C# of the page, and the line on which each piece begins.</summary>
    internal IEnumerable<(string Code, int Line)> Snippets =>
        Regex
            .Matches(Text, @"^```csharp\n(?<code>.*?)^```", RegexOptions.Singleline | RegexOptions.Multiline)
            .Select(match => (match.Groups["code"].Value, LineOf(match.Groups["code"].Index)));

    /// <summary>Where its links go: files, and headings behind a #.</summary>
    internal IEnumerable<(string File, string Heading, int Line)> Links =>
        Regex
            .Matches(WithoutCode, @"\]\((?<file>[^)#\s]*)(#(?<heading>[^)\s]+))?\)")
            .Where(match => !match.Groups["file"].Value.Contains("://", StringComparison.Ordinal))
            .Select(match => (match.Groups["file"].Value, match.Groups["heading"].Value, LineOf(match.Index)));

    /// <summary>What stands in back-ticks in its running text and tables.</summary>
    internal IEnumerable<(string Code, int Line)> InlineCode =>
        Regex.Matches(WithoutBlocks, @"`(?<code>[^`\n]+)`").Select(match => (match.Groups["code"].Value, LineOf(match.Index)));

    /// <summary>The names by which its headings are linked to.</summary>
    internal IEnumerable<string> Anchors =>
        Regex
            .Matches(WithoutBlocks, @"^#+ (?<title>.+)$", RegexOptions.Multiline)
            .Select(match => Regex.Replace(match.Groups["title"].Value.Trim().ToLowerInvariant(), @"[^\w\- ]", "").Replace(' ', '-'));

    /// <summary>The first cells of the tables whose first column has this title.</summary>
    internal IEnumerable<(string Cell, int Line)> Column(string title)
    {
        var inTable = false;
        foreach (var (text, index) in Text.Split('\n').Select((text, index) => (text, index)))
        {
            var first = text.StartsWith('|') ? text.Split('|')[1].Trim() : null;
            if (first == title)
                inTable = true;
            else if (first is null)
                inTable = false;
            else if (inTable && !first.StartsWith("---", StringComparison.Ordinal))
                yield return (first, index + 1);
        }
    }

    private string WithoutBlocks => Blank(Text, @"^```.*?^```", RegexOptions.Singleline | RegexOptions.Multiline);

    private string WithoutCode => Blank(WithoutBlocks, @"`[^`\n]+`", RegexOptions.None);

    private int LineOf(int index) => Text.AsSpan(0, index).Count('\n') + 1;

    // Keeps every place where it is.
    private static string Blank(string text, string pattern, RegexOptions options) =>
        Regex.Replace(text, pattern, match => Regex.Replace(match.Value, @"[^\n]", " "), options);
}
