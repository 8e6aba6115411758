using PostTrain.Models;
using PostTrain.Tests.Support;
using PostTrain.Text;

namespace PostTrain.Tool.Tests;

/// <summary>A folder with a model of some thousand weights and data of every kind, and the tool run on them in this process.</summary>
internal sealed class Subject : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    internal Subject(bool isChat = false)
    {
        Model = directory.File("base");
        var tokenizer = new CharacterTokenizer("0123456789+=:\n abcdefghijklmnopqrstuvwxyz?");
        using var model = Decoder.Create(
            new DecoderConfig
            {
                VocabularySize = tokenizer.VocabularySize,
                ContextLength = 64,
                HiddenSize = 16,
                Layers = 1,
                Heads = 2,
                FeedForwardSize = 32,
                EndOfSequenceIds = [tokenizer.EndOfSequenceId!.Value],
                PaddingId = tokenizer.PaddingId,
            },
            seed: 1
        );
        Pretrained.Save(model, tokenizer, Model);
        if (isChat)
            File.WriteAllText(
                Path.Combine(Model, "chat_template.jinja"),
                "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}"
                    + "{% if add_generation_prompt %}assistant: {% endif %}"
            );
        Demonstrations = Write("demonstrations", 40, i => $$"""{"prompt":"{{i}}+1=","completion":"{{i + 1}}"}""");
        Pairs = Write("pairs", 40, i => $$"""{"prompt":"{{i}}+1=","chosen":"{{i + 1}}","rejected":"{{i + 2}}"}""");
        Problems = Write("problems", 40, i => $$"""{"question":"{{i}}+1=","answer":"{{i + 1}}"}""");
    }

    internal string Model { get; }

    internal string Demonstrations { get; }

    internal string Pairs { get; }

    internal string Problems { get; }

    internal string Folder => directory.Path;

    internal string PathOf(params string[] parts) => Path.Combine([directory.Path, .. parts]);

    internal string Write(string name, int count, Func<int, string> line)
    {
        var path = directory.File(name + ".jsonl");
        File.WriteAllLines(path, Enumerable.Range(10, count).Select(line));
        return path;
    }

    /// <summary>Runs the tool and expects success.</summary>
    internal static async Task<string> RunAsync(params string[] arguments)
    {
        var (code, output, errors) = await StartAsync(arguments);
        Assert.True(code == 0, $"posttrain {string.Join(' ', arguments)} ended with {code}:\n{output}\n{errors}");
        return output;
    }

    /// <summary>Runs the tool.</summary>
    internal static Task<(int Code, string Output, string Errors)> StartAsync(params string[] arguments) =>
        StartAsync(arguments, TextReader.Null);

    internal static async Task<(int Code, string Output, string Errors)> StartAsync(
        string[] arguments,
        TextReader input,
        CancellationTokenSource? stop = null,
        string? stopAt = null
    )
    {
        using var output = new StoppingWriter(stop, stopAt);
        using var errors = new StringWriter();
        using var terminal = Terminal.Plain(output, errors, input);
        int code = await PostTrainTool.RunAsync(arguments, terminal, stop?.Token ?? default);
        return (code, output.ToString(), errors.ToString());
    }

    /// <summary>Every file below a directory by its name, without what measures time.</summary>
    internal static Dictionary<string, byte[]> Files(string directory) =>
        Directory
            .EnumerateFiles(directory, "*", SearchOption.AllDirectories)
            .ToDictionary(file => Path.GetRelativePath(directory, file), File.ReadAllBytes);

    public void Dispose() => directory.Dispose();

    // Cancels when a text is written, as a user presses Ctrl+C on seeing it.
    private sealed class StoppingWriter(CancellationTokenSource? stop, string? text) : StringWriter
    {
        public override void Write(string? value)
        {
            base.Write(value);
            if (text is not null && value?.Contains(text, StringComparison.Ordinal) == true)
                stop!.Cancel();
        }
    }
}
