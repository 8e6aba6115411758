using System.Globalization;

namespace TorchSharp;

/// <summary>How a tensor becomes text.</summary>
public enum TensorStringStyle
{
    /// <summary>Shape, type and device only.</summary>
    Metadata = 0,

    /// <summary>Shape, type and device, then a line for each row.</summary>
    Julia = 1,

    /// <summary>The elements in nested square brackets.</summary>
    Numpy = 2,

    /// <summary>Shape, type and device, then the elements in nested braces.</summary>
    CSharp = 3,

    /// <summary><see cref="torch.TensorStringStyle"/>.</summary>
    Default = 4,
}

public static partial class torch
{
    public const TensorStringStyle csharp = TensorStringStyle.CSharp;
    public const TensorStringStyle julia = TensorStringStyle.Julia;
    public const TensorStringStyle numpy = TensorStringStyle.Numpy;

    private static TensorStringStyle style = TensorStringStyle.Julia;

    /// <summary>What <see cref="TensorStringStyle.Default"/> stands for.</summary>
    public static TensorStringStyle TensorStringStyle
    {
        get => style;
        set => style = value == TensorStringStyle.Default ? TensorStringStyle.Julia : value;
    }

    public partial class Tensor
    {
        public override string ToString() => $"[{string.Join("x", shape)}], type = {dtype}, device = {device}";

        /// <summary>The tensor as text, its elements included unless <paramref name="style"/> is Metadata.</summary>
        /// <param name="fltFormat">.NET format of real numbers; null is "g5".</param>
        /// <param name="width">Kept for TorchSharp's API; lines are not broken.</param>
        public string ToString(TensorStringStyle style, string? fltFormat = null, int? width = null, CultureInfo? cultureInfo = null, string? newLine = null)
        {
            if (style == TensorStringStyle.Default) style = torch.TensorStringStyle;
            return style == TensorStringStyle.Metadata || is_meta
                ? ToString()
                : new TensorText(this, style, fltFormat ?? "g5", cultureInfo ?? CultureInfo.InvariantCulture, newLine ?? "\n").Write();
        }

        /// <param name="disamb">Only tells this overload from the others.</param>
        public string ToString(bool disamb, string? fltFormat = null, int? width = null, CultureInfo? cultureInfo = null, string? newLine = null) =>
            ToString(TensorStringStyle.Default, fltFormat, width, cultureInfo, newLine);
    }
}
