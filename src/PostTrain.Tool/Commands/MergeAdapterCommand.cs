using System.CommandLine;
using PostTrain.Adapters;
using PostTrain.Models;
using PostTrain.Text;
using PostTrain.Training.Reports;

namespace PostTrain.Tool;

/// <summary><c>posttrain merge-adapter</c>: a whole model of a base and an adapter.</summary>
internal sealed class MergeAdapterCommand : ToolCommand
{
    private readonly Option<string?> model;
    private readonly Option<string?> adapter;
    private readonly Option<string?> output;
    private readonly Option<string?> type;
    private readonly Option<bool> overwrite;

    internal MergeAdapterCommand(Terminal terminal)
        : base("merge-adapter", "Merges an adapter (PEFT's files) into its base model.", terminal)
    {
        model = PathOf("--model", "Directory of the base model.", "DIR", required: true);
        adapter = PathOf("--adapter", "Directory of the adapter.", "DIR", required: true);
        output = PathOf("--output", "Directory of the merged model.", "DIR", required: true);
        type = Choice("--type", "Type of the weights [default: the stored type].", null, ["float32", "bfloat16"]);
        overwrite = Unrecorded<bool>("--overwrite", "Replace a model in --output.");
    }

    protected override Task RunAsync(ParseResult values, CancellationToken stop)
    {
        string folder = values.GetValue(model)!,
            place = values.GetValue(adapter)!,
            target = Path.GetFullPath(values.GetValue(output)!).TrimEnd(Path.DirectorySeparatorChar);
        bool isUsed = Directory.Exists(target) && Directory.EnumerateFileSystemEntries(target).Any();
        if (File.Exists(target) || (isUsed && !File.Exists(Path.Combine(target, "config.json"))))
            throw new UsageException($"--output is {target}, which holds something else than a model: choose another one");
        if (isUsed && !values.GetValue(overwrite))
            throw new UsageException($"--output is {target}, which holds a model: --overwrite replaces it");
        using var decoder = Terminal.Do(
            $"loading the model of {folder}",
            () => Pretrained.Load(folder, TrainingRun.TypeOf(values.GetValue(type)))
        );
        var tokenizer = TokenizerFiles.Load(folder);
        Terminal.Do(
            $"merging the adapter of {place}",
            () =>
            {
                // What stays merged is the model's own: the adapter is taken off with its hooks.
                AdaptedModel.Load(decoder, place).MergeAndDispose();
            }
        );
        stop.ThrowIfCancellationRequested();
        Terminal.Do(
            "saving the model",
            () =>
                OutputFolder.Publish(
                    Path.GetDirectoryName(target)!,
                    Path.GetFileName(target),
                    directory =>
                    {
                        Pretrained.Save(decoder, tokenizer, directory);
                        new ModelCard(Path.GetFileName(target))
                        {
                            BaseModel = folder,
                            License = ModelCard.LicenseOf(place) ?? ModelCard.LicenseOf(folder),
                            Method = "merge-adapter",
                            Settings = [new("base", folder), new("adapter", place)],
                        }.Save(directory);
                    }
                )
        );
        Terminal.Line($"saved: {target}");
        return Task.CompletedTask;
    }
}
