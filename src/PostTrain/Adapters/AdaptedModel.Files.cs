using PostTrain.Adapters.Layers;
using PostTrain.Adapters.Peft;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Text.Files;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Adapters;

/// <content>Adapters on disk, in PEFT's format: adapter_config.json and adapter_model.safetensors.</content>
public sealed partial class AdaptedModel
{
    private const string ConfigName = "adapter_config.json";
    private const string WeightsName = "adapter_model.safetensors";
    private const string Prefix = "base_model.model.";

    // PEFT saves adapted embeddings' own weights when their names say that they are embeddings.
    private static readonly string[] EmbeddingNames = ["embed_tokens", "lm_head"];

    /// <summary>Puts an adapter that PEFT or <see cref="Save"/> wrote on a model and activates it.</summary>
    /// <param name="model">The base model that the adapter was trained on.</param>
    /// <param name="directory">Holds adapter_config.json and adapter_model.safetensors.</param>
    /// <param name="name">The adapter's name.</param>
    /// <param name="own">Options of an adapter of one's own (<see cref="AdapterOptions.Of"/>), where the files may hold it.</param>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">A file is malformed, asks for what is not supported or does not fit the model; the message
    /// names the file, what it holds and what was expected.</exception>
    public static AdaptedModel Load(nn.Module model, string directory, string name = "default", AdapterOptions? own = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        var adapted = new AdaptedModel(model);
        try
        {
            adapted.AddFrom(directory, name, own);
            adapted.Activate(name);
            return adapted;
        }
        catch
        {
            adapted.Dispose();
            throw;
        }
    }

    /// <summary>Puts another adapter from disk on the model; it does not act until <see cref="Activate"/> names it. Errors as
    /// <see cref="Load"/>.</summary>
    public void AddFrom(string directory, string name, AdapterOptions? own = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        CheckNew(name);
        var options = PeftConfig.Read(Existing(directory, ConfigName), own as OwnAdapterOptions);
        var path = Existing(directory, WeightsName);
        using var file = SafetensorsFile.Open(path);
        // What a configuration may make memory be allocated for before its shapes are held against the file's.
        var limit = (16 * file.Entries.Select(entry => entry.Length).DefaultIfEmpty(0).Max()) + 65536;
        var pieces = new List<ModuleAdapter>();
        try
        {
            var random = new AdapterRandom(0, limit, blank: options is not LoraOptions { Initialization.Iterations: > 0 });
            foreach (var piece in options.Build(new AdapterPlan(leaves, modules, random)))
                pieces.Add(piece);
            Fill(file, options, pieces);
        }
        catch (Exception exception)
        {
            foreach (var piece in pieces)
                piece.Dispose();
            if (
                exception is ArgumentException or InvalidDataException
                && !exception.Message.StartsWith(directory, StringComparison.Ordinal)
            )
                throw new InvalidDataException($"{directory}: the adapter does not fit the model: {exception.Message}", exception);
            throw;
        }

        Add(name, options, pieces);
    }

    /// <summary>Writes an adapter as PEFT does. Each file is replaced atomically, the weights first.</summary>
    /// <param name="directory">Created where it does not exist.</param>
    /// <param name="name">The adapter; null where there is one only.</param>
    /// <exception cref="ArgumentException">There is no such adapter, or several and none is named.</exception>
    public void Save(string directory, string? name = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        if (name is null && adapters.Count != 1)
            throw new ArgumentException(
                $"there are {adapters.Count} adapters, [{string.Join(", ", Names)}]: name the one to save",
                nameof(name)
            );
        var entry = Find(name ?? Names[0]);
        Unmerged(nameof(Save));
        Directory.CreateDirectory(directory);
        using (NewDisposeScope())
        using (no_grad())
        {
            SafetensorsFile.Write(
                Path.Combine(directory, WeightsName),
                Stored(entry.Options, entry.Pieces).Select(item => (item.Name, item.Transposed ? item.Tensor.t() : item.Tensor)),
                new Dictionary<string, string> { ["format"] = "pt" }
            );
        }

        var adapted = entry.Pieces.Where(piece => piece.IsTarget).Select(piece => piece.Leaf).Distinct().ToList();
        AtomicFile.WriteText(
            Path.Combine(directory, ConfigName),
            PeftConfig.Write(entry.Options, [.. adapted.Select(leaf => leaf.Name)], adapted.Any(leaf => leaf.TransposedOnDisk))
        );
    }

    /// <summary>The tensors of an adapter under the names that its file has.</summary>
    internal IReadOnlyList<StoredTensor> Stored(string name)
    {
        var entry = Find(name);
        return Stored(entry.Options, entry.Pieces);
    }

    private List<StoredTensor> Stored(AdapterOptions options, IReadOnlyList<ModuleAdapter> pieces)
    {
        var stored = new List<StoredTensor>();
        foreach (var piece in pieces)
        {
            stored.AddRange(
                piece
                    .Stored()
                    .Select(item =>
                        item with
                        {
                            Name = item.IsGlobal ? "base_model." + item.Name : $"{Prefix}{piece.Leaf.Name}.{item.Name}",
                        }
                    )
            );
            if (HoldsBase(options, piece))
                stored.Add(new($"{Prefix}{piece.Leaf.Name}.base_layer.weight", piece.Leaf.Values()));
        }

        // What several pieces share is stored once.
        return [.. stored.DistinctBy(item => item.Name)];
    }

    private bool HoldsBase(AdapterOptions options, ModuleAdapter piece)
    {
        if (
            piece is not (LoraLinear or LoraEmbedding)
            || !(piece.Leaf.IsHead || piece.Leaf == leaves.FirstOrDefault(leaf => leaf.Kind == LeafKind.Embedding))
        )
            return false;
        return options.Targets is { Pattern: not null } pattern
            ? leaves.Any(leaf => EmbeddingNames.Contains(leaf.Name.Split('.')[^1]) && pattern.Contains(leaf.Name))
            : options.Targets!.Any(EmbeddingNames.Contains);
    }

    // Names and shapes are all compared before the first value is read.
    private void Fill(SafetensorsFile file, AdapterOptions options, List<ModuleAdapter> pieces)
    {
        var wanted = Stored(options, pieces).ToDictionary(item => item.Name, StringComparer.Ordinal);
        foreach (var item in wanted.Values)
        {
            var shape = item.Tensor.shape;
            if (item.Transposed)
                Array.Reverse(shape);
            if (!file.TryGetEntry(item.Name, out var entry))
            {
                if (IsBase(item.Name) || item.IsOptional)
                    continue;
                throw new InvalidDataException($"{file.Path}: tensor '{item.Name}' is missing, expected [{string.Join(",", shape)}].");
            }

            if (!entry.Shape.SequenceEqual(shape) || !is_floating_point(entry.Type))
                throw new InvalidDataException(
                    $"{file.Path}: tensor '{item.Name}' is {entry.Type} [{string.Join(",", entry.Shape)}], expected floating-point "
                        + $"numbers [{string.Join(",", shape)}]."
                );
        }

        foreach (var entry in file.Entries)
        {
            if (!wanted.ContainsKey(entry.Name) && !(IsBase(entry.Name) && BaseOf(entry.Name) is not null))
                throw new InvalidDataException(
                    $"{file.Path}: tensor '{entry.Name}' [{string.Join(",", entry.Shape)}] is unexpected: {ConfigName} names no such part."
                );
        }

        using var mode = no_grad();
        foreach (var entry in file.Entries)
        {
            using var scope = NewDisposeScope();
            var values = file.Read(entry.Name);
            if (IsBase(entry.Name))
                CheckBase(file.Path, entry.Name, values);
            else
                wanted[entry.Name].Tensor.copy_(wanted[entry.Name].Transposed ? values.t() : values);
        }
    }

    private static bool IsBase(string name) => name.EndsWith(".base_layer.weight", StringComparison.Ordinal);

    private Leaf? BaseOf(string name) => leaves.FirstOrDefault(leaf => $"{Prefix}{leaf.Name}.base_layer.weight" == name);

    // The file carries a copy of the base's embedding; another one means another base.
    private void CheckBase(string path, string name, Tensor values)
    {
        var weight = BaseOf(name)!.Values();
        if (!values.shape.SequenceEqual(weight.shape) || !values.to_type(weight.dtype).eq(weight.cpu()).all().ToBoolean())
            throw new InvalidDataException(
                $"{path}: tensor '{name}' [{string.Join(",", values.shape)}] is not the base model's "
                    + $"[{string.Join(",", weight.shape)}]: the adapter belongs to another base model."
            );
    }

    private static string Existing(string directory, string name)
    {
        var path = Path.Combine(directory, name);
        return File.Exists(path)
            ? path
            : throw new FileNotFoundException(
                $"There is no file '{path}'; an adapter's directory has {ConfigName} and {WeightsName}.",
                path
            );
    }
}
