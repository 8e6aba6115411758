using System.Text;
using System.Text.RegularExpressions;
using PostTrain.Models;
using PostTrain.Tests.Support;

namespace PostTrain.Tests.Documentation;

/// <summary>Compiles the C# of the pages with the SDK's own compiler, all pieces at once.</summary>
internal static class Snippets
{
    private const string Implicit =
        "using System; using System.Collections.Generic; using System.IO; using System.Linq; using System.Net.Http; using "
        + "System.Threading; using System.Threading.Tasks;";
    private static readonly Regex Using = new(@"^using (static )?[\w.]+;$", RegexOptions.Multiline);

    private static readonly Regex Declaration = new(
        @"^((public|internal|sealed|abstract|static) )*(class|record|interface|enum) ",
        RegexOptions.Multiline
    );

    /// <summary>What a piece without using lines of its own may take for granted.</summary>
    private static readonly string Surroundings = Path.Combine(
        RepositoryFolder.Root,
        "tests",
        "PostTrain.Tests",
        "Documentation",
        "Surroundings.txt"
    );

    /// <summary>The compiler's errors, each with page and line; empty where all is well.</summary>
    internal static string[] Errors(IReadOnlyList<Page> pages, string folder)
    {
        var sources = new List<string> { Write(folder, "Surroundings.cs", File.ReadAllText(Surroundings)) };
        var namespaces =
            string.Concat(
                PublicSurface
                    .Types.Select(type => type.Namespace!)
                    .Append(typeof(LlamaSharp.LlamaSource).Namespace!)
                    .Distinct()
                    .Order(StringComparer.Ordinal)
                    .Select(name => $"using {name}; ")
            ) + "using TorchSharp; using static TorchSharp.torch;";
        foreach (var page in pages)
        foreach (var (code, line) in page.Snippets)
            sources.Add(Write(folder, $"Snippet{sources.Count}.cs", Source(page, code, line, namespaces, sources.Count)));
        var references = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator);
        var response = Write(
            folder,
            "snippets.rsp",
            string.Join(
                '\n',
                [
                    "-nologo",
                    "-target:library",
                    "-nullable:enable",
                    "-langversion:latest",
                    "-warn:0",
                    $"-out:\"{Path.Combine(folder, "Snippets.dll")}\"",
                    .. references.Select(path => $"-r:\"{path}\""),
                    .. sources.Select(path => $"\"{path}\""),
                ]
            )
        );
        var (code2, output, errors) = DotnetCommand.Start(
            folder,
            TimeSpan.FromMinutes(2),
            new Dictionary<string, string>(),
            Compiler(folder),
            "@" + response
        );
        return code2 == 0
            ? []
            : [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries), .. errors.Split('\n', StringSplitOptions.RemoveEmptyEntries)];
    }

    // A program that names its namespaces gets no others, and nothing but the command line's arguments.
    private static string Source(Page page, string code, int line, string namespaces, int number)
    {
        var own = string.Join(' ', Using.Matches(code).Select(match => match.Value));
        var body = Using.Replace(code, "");
        // As in a program of top-level statements, types come last.
        int types = Declaration.Match(body) is { Success: true } first ? first.Index : body.Length;
        int typesLine = line + body[..types].Count(character => character == '\n');
        var source = new StringBuilder();
        source.AppendLine(Implicit).AppendLine(own.Length > 0 ? own : namespaces);
        source.AppendLine($"internal sealed class Snippet{number}{(own.Length > 0 ? "" : " : Surroundings")} {{");
        source.AppendLine("#pragma warning disable").AppendLine("private static async Task<int> Run(string[] args) {");
        source.AppendLine($"#line {line} \"{page.Name}\"").AppendLine(body[..types]).AppendLine("#line default").AppendLine("return 0; }");
        source.AppendLine($"#line {typesLine} \"{page.Name}\"").AppendLine(body[types..]).AppendLine("#line default").AppendLine("}");
        return source.ToString();
    }

    private static string Compiler(string folder)
    {
        var (_, version, _) = DotnetCommand.Start(folder, TimeSpan.FromMinutes(1), new Dictionary<string, string>(), "--version");
        var root = Path.GetFullPath(
            Path.Combine(System.Runtime.InteropServices.RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..")
        );
        return Path.Combine(root, "sdk", version.Trim(), "Roslyn", "bincore", "csc.dll");
    }

    private static string Write(string folder, string name, string text)
    {
        var path = Path.Combine(folder, name);
        File.WriteAllText(path, text);
        return path;
    }
}
