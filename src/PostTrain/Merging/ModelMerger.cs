using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Models.HuggingFace;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Merging;

/// <summary>Merges checkpoint directories into one, tensor by tensor.</summary>
/// <remarks>Memory holds one tensor of each model, the merged one, and intermediate results of the method. The output is written beside its
/// directory and renamed when complete. Configuration and tokenizer files are those of the base model, else of the first.</remarks>
public static class ModelMerger
{
    /// <summary>Merges models.</summary>
    /// <param name="config">The models, the method and its parameters.</param>
    /// <param name="output">Directory to write; it must not exist, or be empty, unless <see cref="MergeOptions.Overwrite"/> is set.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <param name="progress">Told after each tensor.</param>
    /// <param name="stop">Stops between two tensors and leaves nothing behind.</param>
    /// <exception cref="ArgumentException">The configuration contradicts itself or does not fit the method.</exception>
    /// <exception cref="DirectoryNotFoundException">A model's directory is missing.</exception>
    /// <exception cref="InvalidDataException">Models do not fit each other, or a file is malformed; the message names the directory and the
    /// tensor.</exception>
    /// <exception cref="NotSupportedException">Vocabularies differ, and are not united.</exception>
    /// <exception cref="IOException">There is something at <paramref name="output"/>, or it could not be written.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public static void Run(
        MergeConfig config,
        string output,
        MergeOptions? options = null,
        IProgress<MergeProgress>? progress = null,
        CancellationToken stop = default
    )
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentException.ThrowIfNullOrEmpty(output);
        options ??= new MergeOptions();
        options.Validate();
        config.Validate();
        var target = Path.TrimEndingDirectorySeparator(Path.GetFullPath(output));
        if (File.Exists(target) || (!options.Overwrite && Directory.Exists(target) && Directory.EnumerateFileSystemEntries(target).Any()))
            throw new IOException(
                $"'{output}' exists already, expected a new directory, or {nameof(MergeOptions)}.{nameof(MergeOptions.Overwrite)}"
            );
        using var staging = new StagedDirectory(target);
        using (var sources = MergeSources.Open(config))
        {
            var plan = MergePlan.Of(config, sources);
            var vocabulary = VocabularyUnion.Of(config, sources, plan.Reference);
            var done = 0;
            var tensors = plan.Tensors.Select(tensor => Source(config, sources, plan, vocabulary, tensor, Report, stop)).ToList();
            CheckpointWriter.Write(staging.Path, tensors, options.MaxShardBytes);
            MergeFiles.Write(staging.Path, config, plan, sources, vocabulary);

            void Report(string name) => progress?.Report(new MergeProgress(++done, plan.Tensors.Count, name));
        }

        stop.ThrowIfCancellationRequested();
        staging.Publish();
    }

    private static SafetensorsSource Source(
        MergeConfig config,
        MergeSources sources,
        MergePlan plan,
        VocabularyUnion? vocabulary,
        PlannedTensor tensor,
        Action<string> report,
        CancellationToken stop
    )
    {
        List<(MergeSource Source, string Name)> all =
        [
            .. tensor.Base is { } own ? [(sources[config.Base!], own)] : Array.Empty<(MergeSource, string)>(),
            .. tensor.Parts.Select(part => (sources[part.Model.Directory], part.Name)),
        ];
        var entries = all.Select(item => item.Source.Find(item.Name)!).ToList();
        var shape = vocabulary?.ShapeOf(tensor.Name, entries[0].Shape) ?? entries[0].Shape;
        for (var i = 0; i < entries.Count; i++)
        {
            var given = vocabulary?.ShapeOf(tensor.Name, entries[i].Shape, all[i].Source) ?? entries[i].Shape;
            if (!given.SequenceEqual(shape))
                throw new InvalidDataException(
                    $"{all[i].Source.Directory}: tensor '{all[i].Name}' has the shape [{string.Join(",", entries[i].Shape)}], "
                        + $"expected [{string.Join(",", entries[0].Shape)}] as in {all[0].Source.Directory}"
                );
            if (is_floating_point(entries[i].Type) != is_floating_point(entries[0].Type))
                throw new InvalidDataException(
                    $"{all[i].Source.Directory}: tensor '{all[i].Name}' has the type {entries[i].Type}, expected {entries[0].Type} "
                        + $"as in {all[0].Source.Directory}"
                );
        }

        var floating = is_floating_point(entries[0].Type);
        var stored = plan.Reference.Find(tensor.Name)?.Type ?? entries[0].Type;
        var type = entries.All(entry => entry.Type == ScalarType.Float64) ? ScalarType.Float64 : ScalarType.Float32;
        return new SafetensorsSource(
            tensor.Name,
            floating ? config.Type ?? stored : entries[0].Type,
            shape,
            () =>
            {
                stop.ThrowIfCancellationRequested();
                using var scope = NewDisposeScope();
                var merged = floating ? Merged(config, sources, vocabulary, tensor, all, type) : Constant(all);
                report(tensor.Name);
                return merged.MoveToOuterDisposeScope();
            }
        );
    }

    private static Tensor Merged(
        MergeConfig config,
        MergeSources sources,
        VocabularyUnion? vocabulary,
        PlannedTensor tensor,
        List<(MergeSource Source, string Name)> all,
        ScalarType type
    )
    {
        Tensor[] values = [.. all.Select(item => item.Source.Read(item.Name, type))];
        if (vocabulary is not null)
            values = vocabulary.Expand(tensor.Name, [.. all.Select(item => item.Source)], values);
        var hasBase = tensor.Base is not null;
        return config.Method.Merge(
            new MergeInputs
            {
                Name = tensor.Name,
                Base = hasBase ? values[0] : null,
                Tensors = hasBase ? values[1..] : values,
                Statistics = [.. tensor.Parts.Select(part => sources.Statistic(part.Model.Statistics, part.Name))],
                Parameters = tensor.Parameters,
                ModelParameters = [.. tensor.Parts.Select(part => part.Parameters)],
                Position = tensor.Position,
                Convention = config.Convention,
                Seed = config.Seed,
            }
        );
    }

    // Masks and the like, which must agree.
    private static Tensor Constant(List<(MergeSource Source, string Name)> all)
    {
        var first = all[0].Source.Read(all[0].Name);
        foreach (var (source, name) in all.Skip(1))
        {
            using var other = source.Read(name);
            if (other.dtype != first.dtype || !other.eq(first).all().ToBoolean())
                throw new InvalidDataException(
                    $"{source.Directory}: tensor '{name}' of {other.dtype} has other values than in {all[0].Source.Directory}, and "
                        + "only floating point is merged"
                );
        }

        return first;
    }
}
