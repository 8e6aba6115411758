using System.CommandLine;
using PostTrain.Models.Gguf;

namespace PostTrain.Tool;

/// <summary><c>posttrain export</c>: a GGUF file of a model, for llama.cpp, Ollama and LLamaSharp.</summary>
internal sealed class ExportCommand : ToolCommand
{
    private static readonly IReadOnlyDictionary<string, GgufType> Types = new Dictionary<string, GgufType>
    {
        ["f32"] = GgufType.F32,
        ["f16"] = GgufType.F16,
        ["q8_0"] = GgufType.Q8_0,
    };
    private readonly Option<string?> model;
    private readonly Option<string?> output;
    private readonly Option<string?> type;
    private readonly Option<bool> overwrite;

    internal ExportCommand(Terminal terminal)
        : base("export", "Writes a model as a GGUF file for llama.cpp, Ollama and LLamaSharp.", terminal)
    {
        model = PathOf("--model", "Directory of the model.", "DIR", required: true);
        output = PathOf("--output", "The file.", "FILE.gguf", required: true);
        type = Choice("--type", "Type of the weights.", "f16", Types.Keys);
        overwrite = Unrecorded<bool>("--overwrite", "Replace the file.");
    }

    protected override Task RunAsync(ParseResult values, CancellationToken stop)
    {
        string folder = values.GetValue(model)!,
            file = values.GetValue(output)!;
        if (File.Exists(file) && !values.GetValue(overwrite))
            throw new UsageException($"--output is {file}, which exists: --overwrite replaces it");
        Terminal.Do(
            $"writing {file}",
            () => GgufExport.Write(folder, file, new GgufExportOptions { Type = Types[values.GetValue(type)!] }, stop: stop)
        );
        Terminal.Line($"saved: {file}, {new FileInfo(file).Length / 1e6:F1} MB");
        return Task.CompletedTask;
    }
}
