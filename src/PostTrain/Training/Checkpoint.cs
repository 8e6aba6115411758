using System.Globalization;
using System.Text.Json;
using PostTrain.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Training;

/// <summary>A run on disk: a directory <c>checkpoint-STEP</c> with <c>model.safetensors</c>, <c>optimizer.safetensors</c> and <c>state.json</c>.</summary>
/// <remarks>
/// The directory gets its name when all of it is written and flushed: what bears the name is complete, whenever the process
/// was stopped. A run that goes on from a checkpoint gives the same bytes as one that was never stopped.
/// </remarks>
public static class Checkpoint
{
    private const string Prefix = "checkpoint-";
    private const string ModelFile = "model.safetensors";
    private const string OptimizerFile = "optimizer.safetensors";
    private const string StateFile = "state.json";
    private const string RandomState = "random_state";

    /// <summary>Writes a checkpoint and returns its directory; one of the same step is replaced.</summary>
    /// <param name="directory">Where checkpoints are kept; made when missing.</param>
    /// <param name="model">All its parameters and buffers are kept.</param>
    /// <param name="optimization">Its moments and step counts are kept.</param>
    /// <param name="state">Where the run stands.</param>
    public static string Save(string directory, nn.Module model, Optimization optimization, TrainingState state)
    {
        Directory.CreateDirectory(directory);
        var target = Path.Combine(directory, string.Create(CultureInfo.InvariantCulture, $"{Prefix}{state.Step:D8}"));
        var partial = Path.Combine(directory, $".{Path.GetFileName(target)}-{Guid.NewGuid():N}");
        try
        {
            Directory.CreateDirectory(partial);
            using (NewDisposeScope())
            {
                SafetensorsFile.Write(Path.Combine(partial, ModelFile), Tensors(model));
                SafetensorsFile.Write(Path.Combine(partial, OptimizerFile), Moments(optimization).Append((RandomState, get_rng_state())));
            }
            Data.AtomicFile.Write(Path.Combine(partial, StateFile), stream => JsonSerializer.Serialize(stream, state));
            if (Directory.Exists(target)) Directory.Delete(target, recursive: true);
            Directory.Move(partial, target);
            return target;
        }
        catch
        {
            if (Directory.Exists(partial)) Directory.Delete(partial, recursive: true);
            throw;
        }
    }

    /// <summary>The checkpoint of the latest step, or null when there is none.</summary>
    public static string? Latest(string directory) => !Directory.Exists(directory)
        ? null
        : Directory.EnumerateDirectories(directory, Prefix + "*").Where(path => File.Exists(Path.Combine(path, StateFile))).Max(StringComparer.Ordinal);

    /// <summary>Puts a checkpoint's tensors into the model and the optimiser, and returns where the run stood.</summary>
    /// <exception cref="InvalidDataException">A file is broken or belongs to another model; names the file and what was expected.</exception>
    public static TrainingState Load(string checkpoint, nn.Module model, Optimization optimization)
    {
        var state = ReadState(Path.Combine(checkpoint, StateFile));
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using (var file = SafetensorsFile.Open(Path.Combine(checkpoint, ModelFile)))
            Restore(file, Tensors(model));
        using (var file = SafetensorsFile.Open(Path.Combine(checkpoint, OptimizerFile)))
        {
            Restore(file, Moments(optimization), RandomState);
            foreach (var moment in optimization.States) moment.step = state.Updates;
            set_rng_state(file.Read(RandomState));
        }
        optimization.Updates = state.Updates;
        return state;
    }

    private static IEnumerable<(string Name, Tensor Tensor)> Tensors(nn.Module model) =>
        model.named_parameters().Select(p => (p.name, (Tensor)p.parameter)).Concat(model.named_buffers().Select(b => (b.name, b.buffer)));

    private static IEnumerable<(string Name, Tensor Tensor)> Moments(Optimization optimization) =>
        optimization.Parameters.Zip(optimization.States).SelectMany(pair => new[]
        {
            ($"{pair.First.Name}.exp_avg", pair.Second.exp_avg),
            ($"{pair.First.Name}.exp_avg_sq", pair.Second.exp_avg_sq),
        });

    // All names and shapes are compared before the first tensor changes.
    private static void Restore(SafetensorsFile file, IEnumerable<(string Name, Tensor Tensor)> targets, params string[] others)
    {
        var wanted = targets.ToArray();
        foreach (var (name, tensor) in wanted)
        {
            if (!file.TryGetEntry(name, out var entry))
                throw new InvalidDataException($"{file.Path}: tensor {name} is missing, expected shape [{string.Join(", ", tensor.shape)}]");
            if (!entry.Shape.SequenceEqual(tensor.shape) || entry.Type != tensor.dtype)
                throw new InvalidDataException(
                    $"{file.Path}: tensor {name} is {entry.Type} [{string.Join(", ", entry.Shape)}], expected {tensor.dtype} [{string.Join(", ", tensor.shape)}]");
        }
        if (file.Entries.Select(entry => entry.Name).Except(wanted.Select(target => target.Name)).Except(others).FirstOrDefault() is { } unknown)
            throw new InvalidDataException($"{file.Path}: tensor {unknown} belongs to no parameter of this run");
        foreach (var (name, tensor) in wanted)
        {
            using var scope = NewDisposeScope();
            tensor.copy_(file.Read(name));
        }
    }

    private static TrainingState ReadState(string path)
    {
        try
        {
            var state = JsonSerializer.Deserialize<TrainingState>(File.ReadAllText(path)) ?? throw new JsonException("it holds null");
            if (state.Format != TrainingState.CurrentFormat)
                throw new InvalidDataException($"{path}: format {state.Format}, expected {TrainingState.CurrentFormat}");
            return state;
        }
        catch (JsonException exception)
        {
            throw new InvalidDataException($"{path}: not the state of a run: {exception.Message}", exception);
        }
    }
}
