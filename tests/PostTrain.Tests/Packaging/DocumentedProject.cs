using System.Text.RegularExpressions;
using System.Xml.Linq;
using PostTrain.Tests.Support;

namespace PostTrain.Tests.Packaging;

/// <summary>The project that docs/packages.md shows, with the files as they stand there.</summary>
internal static class DocumentedProject
{
    /// <summary>Writes its files.</summary>
    /// <param name="folder">Empty.</param>
    /// <param name="packages">The folder that our packages come from, and they alone.</param>
    /// <param name="cache">A folder of packages that the machine has; all others come from it, so that nothing is asked of a
    /// network.</param>
    /// <param name="version">Of our package.</param>
    internal static void Write(string folder, string packages, string cache, string version)
    {
        File.WriteAllText(Path.Combine(folder, "Program.cs"), Block("csharp"));
        var project = XDocument.Parse(Block("xml", "<Project"));
        Ours(project).SetAttributeValue("Version", version);
        project.Save(Path.Combine(folder, "App.csproj"));
        var configuration = XDocument.Parse(Block("xml", "<configuration"));
        var sources = configuration.Descendants("packageSources").Single();
        var ours = sources.Elements("add").Single();
        ours.SetAttributeValue("value", packages);
        sources.AddFirst(new XElement("clear"));
        sources.Add(new XElement("add", new XAttribute("key", "cache"), new XAttribute("value", cache)));
        configuration.Root!.Add(
            new XElement("packageSourceMapping", Mapping(ours.Attribute("key")!.Value, "PostTrain", "PostTrain.*"), Mapping("cache", "*"))
        );
        configuration.Save(Path.Combine(folder, "nuget.config"));
    }

    /// <summary>The version that the page names.</summary>
    internal static string Version => Ours(XDocument.Parse(Block("xml", "<Project"))).Attribute("Version")!.Value;

    private static XElement Ours(XDocument project) =>
        project.Descendants("PackageReference").Single(item => item.Attribute("Include")!.Value == "PostTrain");

    private static string Block(string language, string start = "")
    {
        var page = File.ReadAllText(Path.Combine(RepositoryFolder.Root, "docs", "packages.md"));
        return Regex
            .Matches(page, $@"```{language}\n(?<code>{Regex.Escape(start)}.*?)```", RegexOptions.Singleline)[0]
            .Groups["code"]
            .Value;
    }

    private static XElement Mapping(string source, params string[] patterns) =>
        new(
            "packageSource",
            new XAttribute("key", source),
            patterns.Select(pattern => new XElement("package", new XAttribute("pattern", pattern)))
        );
}
