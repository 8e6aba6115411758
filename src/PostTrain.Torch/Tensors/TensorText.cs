using System.Globalization;
using System.Text;

namespace TorchSharp;

/// <summary>Writes a tensor's elements as text.</summary>
internal sealed class TensorText(torch.Tensor tensor, TensorStringStyle style, string format, CultureInfo culture, string newLine)
{
    // Of a longer dimension the first and the last few elements are shown.
    private const int Shown = 1000;
    private const int Edge = 3;

    private readonly StringBuilder text = new();
    private readonly long[] sizes = tensor.shape;
    private readonly bool shorten = tensor.NumberOfElements > Shown;
    private readonly torch.Tensor local = tensor.cpu();

    internal string Write()
    {
        using var release = local;
        var elements = Reader();
        if (style != TensorStringStyle.Numpy) text.Append(tensor.ToString());
        if (style == TensorStringStyle.CSharp) text.Append(", value = ");
        if (style is TensorStringStyle.Julia or TensorStringStyle.Default) text.Append(newLine);
        if (sizes.Length == 0) text.Append(elements(0));
        else Nested(elements, 0, 0);
        return text.ToString();
    }

    private void Nested(Func<long, string> elements, int dim, long offset)
    {
        var (open, close, comma) = style switch
        {
            TensorStringStyle.CSharp => ("{", "}", ", "),
            TensorStringStyle.Numpy => ("[", "]", ", "),
            _ => ("", "", " "),
        };
        bool innermost = dim == sizes.Length - 1;
        long below = 1;
        foreach (long size in sizes.AsSpan(dim + 1)) below *= size;
        text.Append(open);
        for (long i = 0; i < sizes[dim]; i++)
        {
            if (i > 0) text.Append(innermost ? comma : Between(comma, dim));
            if (shorten && sizes[dim] > 2 * Edge && i == Edge)
            {
                text.Append("...");
                i = sizes[dim] - Edge - 1;
                continue;
            }
            if (innermost) text.Append(elements(offset + i));
            else Nested(elements, dim + 1, offset + i * below);
        }
        text.Append(close);
    }

    // Rows stand on lines of their own, matrices apart by an empty line.
    private string Between(string comma, int dim) => style switch
    {
        TensorStringStyle.CSharp => comma,
        TensorStringStyle.Numpy => "," + newLine + new string(' ', dim + 1),
        _ => string.Concat(Enumerable.Repeat(newLine, sizes.Length - 1 - dim)),
    };

    private Func<long, string> Reader()
    {
        if (local.dtype == torch.ScalarType.Bool) return i => local.ReadCpuValue<bool>(i) ? "true" : "false";
        if (local.dtype == torch.ScalarType.Float64) return i => local.ReadCpuValue<double>(i).ToString(format, culture);
        if (local.dtype == torch.ScalarType.Float32) return i => local.ReadCpuValue<float>(i).ToString(format, culture);
        if (local.is_integral()) return i => Element(i).ToInt64().ToString(culture);
        return i => Element(i).ToSingle().ToString(format, culture);
    }

    private Scalar Element(long index)
    {
        using var flat = local.reshape(-1);
        using var one = flat.select(0, index);
        return one.ToScalar();
    }
}
