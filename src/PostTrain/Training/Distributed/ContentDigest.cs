using System.Collections;
using System.Collections.Concurrent;
using System.Globalization;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using TorchSharp;

namespace PostTrain.Training.Distributed;

/// <summary>A digest of records by their content: texts, numbers, lists and records of them.</summary>
internal static class ContentDigest
{
    // Records of a data set nest two or three deep.
    private const int Depth = 6;
    private static readonly ConcurrentDictionary<Type, PropertyInfo[]> Properties = new();

    /// <summary>Returns the number of items and the first half of their SHA-256.</summary>
    internal static string Of<T>(IReadOnlyList<T> items)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (int i = 0; i < items.Count; i++)
            hash.AppendData(Encoding.UTF8.GetBytes(Text(items[i]) + "\n"));
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{items.Count} with the digest {Convert.ToHexStringLower(hash.GetHashAndReset())[..16]}"
        );
    }

    /// <summary>Writes an object's content: of what is neither a value, a list nor a record, the type.</summary>
    internal static string Text(object? value)
    {
        var text = new StringBuilder();
        Append(text, value, Depth);
        return text.ToString();
    }

    private static void Append(StringBuilder text, object? value, int depth)
    {
        switch (value)
        {
            case null:
                text.Append("null");
                break;
            case string given:
                text.Append('"').Append(given).Append('"');
                break;
            case IFormattable number:
                text.Append(number.ToString(null, CultureInfo.InvariantCulture));
                break;
            case bool flag:
                text.Append(flag);
                break;
            case Delegate or torch.Tensor or torch.nn.Module:
                text.Append(value.GetType().Name);
                break;
            case IEnumerable list when depth > 0:
                text.Append('[');
                foreach (var item in list)
                {
                    Append(text, item, depth - 1);
                    text.Append(',');
                }
                text.Append(']');
                break;
            case var other when depth > 0 && Of(other.GetType()) is { Length: > 0 } properties:
                text.Append(other.GetType().Name).Append('{');
                foreach (var property in properties)
                {
                    text.Append(property.Name).Append('=');
                    Append(text, property.GetValue(other), depth - 1);
                    text.Append(',');
                }
                text.Append('}');
                break;
            default:
                text.Append(value.GetType().Name);
                break;
        }
    }

    internal static bool IsRecord(Type type) => Array.Exists(type.GetMethods(), method => method.Name == "<Clone>$");

    // Of records and structures; other classes may do anything when they are read.
    private static PropertyInfo[] Of(Type type) =>
        Properties.GetOrAdd(
            type,
            key =>
                key.IsValueType || IsRecord(key)
                    ?
                    [
                        .. key.GetProperties(BindingFlags.Instance | BindingFlags.Public)
                            .Where(property => property.GetIndexParameters().Length == 0 && property.CanWrite)
                            .OrderBy(property => property.Name, StringComparer.Ordinal),
                    ]
                    : []
        );
}
