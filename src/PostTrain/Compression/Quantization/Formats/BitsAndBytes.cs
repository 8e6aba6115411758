using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Compression.Quantization;

/// <summary>Quantised weights in bitsandbytes' checkpoint format: <c>NAME</c> with the bytes, and further entries whose names begin with
/// <c>NAME.</c>.</summary>
public static class BitsAndBytes
{
    private const int LargestState = 1 << 16;
    private const string StatePrefix = "quant_state.bitsandbytes__";

    private static readonly Dictionary<ScalarType, string> Types = new()
    {
        [ScalarType.Float32] = "float32",
        [ScalarType.Float16] = "float16",
        [ScalarType.BFloat16] = "bfloat16",
        [ScalarType.Float64] = "float64",
    };

    /// <summary>The tensors of a weight in 4 bits.</summary>
    /// <param name="name">The weight's name, such as <c>model.layers.0.mlp.up_proj.weight</c>.</param>
    /// <param name="weight">NF4 or FP4.</param>
    /// <returns>Fresh tensors, with their names in the checkpoint; they belong to the caller.</returns>
    /// <exception cref="ArgumentException">The table is another.</exception>
    public static IReadOnlyList<(string Name, Tensor Tensor)> Entries(string name, BlockQuantized weight)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(weight);
        if (Table(weight.Table.Name) is null)
            throw new ArgumentException($"weight has the table {weight.Table}, expected nf4 or fp4", nameof(weight));
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var nested = weight.NestedAbsmax;
        var entries = new List<(string Name, Tensor Tensor)>
        {
            (name, weight.Codes.cpu().reshape(-1, 1).clone()),
            ($"{name}.absmax", (nested?.Codes ?? weight.Absmax!).cpu().clone()),
            ($"{name}.quant_map", weight.Table.Tensor()),
        };
        if (nested is not null)
        {
            entries.Add(($"{name}.nested_absmax", nested.Absmax!.cpu().clone()));
            entries.Add(($"{name}.nested_quant_map", nested.Table.Tensor()));
        }

        var state = new JsonObject
        {
            ["quant_type"] = weight.Table.Name,
            ["blocksize"] = weight.BlockSize,
            ["dtype"] = Types[weight.Type],
            ["shape"] = new JsonArray([.. weight.Shape.Select(size => JsonValue.Create(size))]),
        };
        if (nested is not null)
        {
            state["nested_blocksize"] = nested.BlockSize;
            state["nested_dtype"] = Types[ScalarType.Float32];
            state["nested_offset"] = weight.Offset;
        }

        var text = Encoding.UTF8.GetBytes(state.ToJsonString());
        entries.Add(($"{name}.{StatePrefix}{weight.Table.Name}", tensor(text, dtype: ScalarType.Byte)));
        foreach (var (_, item) in entries)
            item.MoveToOuterDisposeScope();
        return entries;
    }

    /// <summary>Reads a weight from its tensors.</summary>
    /// <param name="name">The weight's name.</param>
    /// <param name="read">Returns a tensor of the checkpoint by its full name, or null; the tensor belongs to this call.</param>
    /// <exception cref="InvalidDataException">Something is missing, malformed, or of another size than the rest says; the message names the
    /// tensor.</exception>
    public static BlockQuantized Read(string name, Func<string, Tensor?> read)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(read);
        using var scope = NewDisposeScope();
        var (stateName, table, text) = State(name, read);
        var state = Fields.Parse(stateName, text);
        if (state.Text("quant_type") != table.Name)
            throw new InvalidDataException($"{stateName}: quant_type is '{state.Text("quant_type")}', expected '{table.Name}'.");
        var type = Types.FirstOrDefault(pair => pair.Value == state.Text("dtype"));
        if (type.Value is null)
            throw new InvalidDataException($"{stateName}: dtype is '{state.Text("dtype")}', expected {string.Join(", ", Types.Values)}.");
        var shape = state.Shape();
        var count = shape.Aggregate((Int128)1, (product, size) => product * size);
        var blockSize = state.Size("blocksize");
        if (count > long.MaxValue / 16)
            throw new InvalidDataException($"{stateName}: shape [{string.Join(", ", shape)}] has too many elements.");
        var blocks = ((long)count + blockSize - 1) / blockSize;
        var codes = Part(name, read, ScalarType.Byte, ((long)count + 1) / 2);
        Map($"{name}.quant_map", read, table);
        if (!state.Has("nested_blocksize"))
        {
            var absmax = Part($"{name}.absmax", read, ScalarType.Float32, blocks);
            return new BlockQuantized(shape, type.Key, table, blockSize, Own(codes), Own(absmax), null, 0);
        }

        var nestedSize = state.Size("nested_blocksize");
        var nestedCodes = Part($"{name}.absmax", read, ScalarType.Byte, blocks);
        var nestedAbsmax = Part($"{name}.nested_absmax", read, ScalarType.Float32, (blocks + nestedSize - 1) / nestedSize);
        Map($"{name}.nested_quant_map", read, CodeTable.Dynamic);
        var offset = state.Number("nested_offset");
        var nested = new BlockQuantized(
            [blocks],
            ScalarType.Float32,
            CodeTable.Dynamic,
            nestedSize,
            Own(nestedCodes),
            Own(nestedAbsmax),
            null,
            0
        );
        return new BlockQuantized(shape, type.Key, table, blockSize, Own(codes), null, nested, offset);
    }

    private static CodeTable? Table(string name) =>
        name == CodeTable.Nf4.Name ? CodeTable.Nf4
        : name == CodeTable.Fp4.Name ? CodeTable.Fp4
        : null;

    private static (string Name, CodeTable Table, byte[] Text) State(string name, Func<string, Tensor?> read)
    {
        foreach (var table in (CodeTable[])[CodeTable.Nf4, CodeTable.Fp4])
        {
            var stateName = $"{name}.{StatePrefix}{table.Name}";
            if (read(stateName) is not { } found)
                continue;
            if (found.dtype != ScalarType.Byte || found.NumberOfElements is 0 or > LargestState)
                throw new InvalidDataException(
                    $"{stateName} is {found.dtype} {Guard.Shape(found)}, expected up to {LargestState} bytes of text."
                );
            return (stateName, table, found.cpu().contiguous().bytes.ToArray());
        }

        throw new InvalidDataException($"{name}: there is no {name}.{StatePrefix}nf4 nor {StatePrefix}fp4 beside it.");
    }

    private static Tensor Part(string name, Func<string, Tensor?> read, ScalarType type, long count)
    {
        var found = read(name) ?? throw new InvalidDataException($"{name} is missing, expected {type} of {count} elements.");
        return found.dtype == type && found.NumberOfElements == count
            ? found.reshape(-1)
            : throw new InvalidDataException($"{name} is {found.dtype} {Guard.Shape(found)}, expected {type} of {count} elements.");
    }

    private static void Map(string name, Func<string, Tensor?> read, CodeTable table)
    {
        var map = Part(name, read, ScalarType.Float32, table.Values.Count).cpu().data<float>().ToArray();
        if (map.Zip(table.Values).Any(pair => !(Math.Abs(pair.First - pair.Second) <= 1e-6)))
            throw new InvalidDataException($"{name} holds other values than the table {table}.");
    }

    private static Tensor Own(Tensor part) => part.contiguous().clone().DetachFromDisposeScope();

    private sealed class Fields(string name, JsonObject fields)
    {
        public static Fields Parse(string name, byte[] text)
        {
            try
            {
                if (JsonNode.Parse(text, documentOptions: new JsonDocumentOptions { MaxDepth = 8 }) is JsonObject fields)
                    return new Fields(name, fields);
            }
            catch (Exception exception) when (exception is JsonException or ArgumentException)
            {
                throw new InvalidDataException($"{name} is not JSON: {exception.Message}", exception);
            }

            throw new InvalidDataException($"{name} is not a JSON object.");
        }

        public bool Has(string field) => fields[field] is not null;

        public string? Text(string field) => fields[field] is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;

        public float Number(string field) =>
            fields[field] is JsonValue value && value.TryGetValue<float>(out var number) && float.IsFinite(number)
                ? number
                : throw new InvalidDataException($"{name}: {field} is {fields[field]?.ToJsonString() ?? "missing"}, expected a number.");

        public int Size(string field) =>
            fields[field] is JsonValue value && value.TryGetValue<int>(out var size) && size >= 1
                ? size
                : throw new InvalidDataException(
                    $"{name}: {field} is {fields[field]?.ToJsonString() ?? "missing"}, expected a positive whole number."
                );

        public long[] Shape()
        {
            if (fields["shape"] is JsonArray { Count: >= 1 and <= 8 } sizes)
            {
                var shape = new long[sizes.Count];
                if (
                    sizes
                        .Index()
                        .All(item =>
                            item.Item is JsonValue value
                            && value.TryGetValue(out shape[item.Index])
                            && shape[item.Index] is >= 1 and <= int.MaxValue
                        )
                )
                    return shape;
            }

            throw new InvalidDataException(
                $"{name}: shape is {fields["shape"]?.ToJsonString() ?? "missing"}, expected 1 to 8 positive whole numbers."
            );
        }
    }
}
