using System.Runtime.InteropServices;
using PostTrain.Tests.Support;

namespace PostTrain.Tool.Tests;

/// <summary>The road of a user with the tool alone: from an empty folder and a folder of packages to a model that answers.</summary>
/// <remarks>Packing libtorch takes minutes of a processor, so this runs where the environment variable POSTTRAIN_MEASURE is set; the same
/// commands run on the built tool in the other tests.</remarks>
public sealed class PackagedToolTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(10);
    private readonly Subject subject = new(isChat: true);

    public void Dispose() => subject.Dispose();

    [MeasurementFact]
    public void FromPackagesToAnAnswer()
    {
        Dotnet(
            RepositoryFolder.Root,
            "pack",
            Path.Combine("src", "PostTrain.Tool"),
            "-c",
            "Release",
            "-o",
            subject.PathOf("packages"),
            $"-p:RuntimeIdentifiers={RuntimeInformation.RuntimeIdentifier}",
            "-v",
            "quiet",
            "-nologo"
        );
        File.WriteAllText(
            subject.PathOf("nuget.config"),
            $"""<configuration><packageSources><clear /><add key="ours" value="{subject.PathOf("packages")}" />"""
                + $"""</packageSources></configuration>"""
        );
        Dotnet(subject.Folder, "tool", "install", "PostTrain.Tool", "--tool-path", "bin", "--configfile", "nuget.config");
        Walk((arguments, folder) => Start(subject.PathOf("bin", "posttrain"), folder, arguments));
    }

    [Fact]
    public void FromTheBuiltToolToAnAnswer() =>
        Walk((arguments, folder) => Dotnet(folder, [typeof(PostTrainTool).Assembly.Location, .. arguments]));

    // SFT with LoRA on two turns, DPO on its result, GRPO on that, then an answer.
    private void Walk(Func<string[], string, string> posttrain)
    {
        string Run(string line) => posttrain(line.Split(' '), subject.Folder);
        subject.Write(
            "chats",
            24,
            i =>
                $$"""{"messages":[{"role":"user","content":"{{i}}+1"},{"role":"assistant","content":"{{i + 1}}"},"""
                + $$"""{"role":"user","content":"and 1"},{"role":"assistant","content":"{{i + 2}}"}]}"""
        );
        Run("sft --model base --data chats.jsonl --lora 4 --steps 6 --output sft");
        Run("merge-adapter --model base --adapter sft/adapter --output tuned");
        Run("dpo --model tuned --data pairs.jsonl --steps 4 --output dpo");
        Run("grpo --model dpo/model --data problems.jsonl --steps 2 --tokens 6 --reward math --reward 0.1*finished --output grpo");
        Assert.Contains("3 runs", Read(Run("report sft dpo grpo --output all.html"), "all.html"), StringComparison.Ordinal);
        Run("export --model grpo/model --output model.gguf");
        Run("evaluate --model grpo/model --data chats.jsonl");
        var answer = Run("generate --model grpo/model --prompt 11+1 --tokens 6 --temperature 0");
        Assert.Equal(answer, Run("generate --model grpo/model --prompt 11+1 --tokens 6 --temperature 0"));
        Assert.True(File.Exists(subject.PathOf("grpo", "model", "chat_template.jinja")));
    }

    private string Read(string output, string file)
    {
        Assert.Contains(file, output, StringComparison.Ordinal);
        return File.ReadAllText(subject.PathOf(file));
    }

    private static string Dotnet(string folder, params string[] arguments)
    {
        var (code, output, errors) = DotnetCommand.Start(
            folder,
            Limit,
            new Dictionary<string, string>
            {
                ["MSBUILDDISABLENODEREUSE"] = "1",
                ["UseSharedCompilation"] = "false",
                ["DOTNET_NOLOGO"] = "1",
            },
            arguments
        );
        Assert.True(code == 0, $"dotnet {string.Join(' ', arguments)} ended with {code}:\n{output}\n{errors}");
        return output;
    }

    private static string Start(string program, string folder, string[] arguments)
    {
        using var process = System.Diagnostics.Process.Start(
            new System.Diagnostics.ProcessStartInfo(program, arguments)
            {
                WorkingDirectory = folder,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            }
        )!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(
            process.ExitCode == 0,
            $"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}:\n{output}\n{errors.Result}"
        );
        return output;
    }
}
