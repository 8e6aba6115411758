using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>The element types of the safetensors format that a tensor can have.</summary>
internal static class SafetensorsTypes
{
    private static readonly (string Name, ScalarType Type, int Size)[] Table =
    [
        ("F64", ScalarType.Float64, 8),
        ("F32", ScalarType.Float32, 4),
        ("F16", ScalarType.Float16, 2),
        ("BF16", ScalarType.BFloat16, 2),
        ("I64", ScalarType.Int64, 8),
        ("I32", ScalarType.Int32, 4),
        ("I16", ScalarType.Int16, 2),
        ("I8", ScalarType.Int8, 1),
        ("U8", ScalarType.Byte, 1),
        ("BOOL", ScalarType.Bool, 1),
    ];

    /// <summary>The known names, for error messages.</summary>
    public static string Known { get; } = string.Join(", ", Table.Select(row => row.Name));

    public static bool TryParse(string name, out ScalarType type, out int size)
    {
        foreach (var row in Table)
        {
            if (row.Name == name)
            {
                (type, size) = (row.Type, row.Size);
                return true;
            }
        }

        (type, size) = (default, 0);
        return false;
    }

    public static string NameOf(ScalarType type)
    {
        foreach (var row in Table)
        {
            if (row.Type == type)
                return row.Name;
        }

        throw new ArgumentException(
            $"A tensor of type {type} cannot be stored as safetensors; the format's types are {Known}.",
            nameof(type)
        );
    }

    public static int SizeOf(ScalarType type) => Array.Find(Table, row => row.Type == type).Size;
}
