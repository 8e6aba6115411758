namespace PostTrain.Data.Records.Files;

/// <summary>Fields of Parquet's structures by their numbers from 1 on: n a whole number, y a byte, t a truth value, b bytes, d a double, -
/// a
/// number that is not used, a name a structure, [x] a list.</summary>
/// <remarks>Apache Parquet's format, parquet.thrift. A field beyond the list is passed over.</remarks>
internal static class ParquetShapes
{
    private static readonly Dictionary<string, string[]> Shapes = new Dictionary<string, string>
    {
        ["File"] = "n [Schema] n [Group] [Pair] b [Order] Encryption b",
        ["Schema"] = "n n n b n n n n n Logical",
        ["Logical"] = "Empty Empty Empty Empty Decimal Empty Time Time - Integer Empty Empty Empty Empty Empty Variant Geo Geo",
        ["Decimal"] = "n n",
        ["Time"] = "t Unit",
        ["Unit"] = "Empty Empty Empty",
        ["Integer"] = "y t",
        ["Variant"] = "y",
        ["Geo"] = "b n",
        ["Group"] = "[Column] n n [Sorting] n n n",
        ["Column"] = "b n Meta n n n n Encryption b",
        ["Meta"] = "n [n] [b] n n n n [Pair] n n n Statistics [Encodings] n n Sizes Places",
        ["Statistics"] = "b b n n b b t t",
        ["Pair"] = "b b",
        ["Sorting"] = "n t t",
        ["Encodings"] = "n n n",
        ["Sizes"] = "n [n] [n]",
        ["Places"] = "Box [n]",
        ["Box"] = "d d d d d d d d",
        ["Order"] = "Empty",
        ["Empty"] = "",
        ["Encryption"] = "Unknown Unknown",
        ["Unknown"] = "",
        ["Page"] = "n n n n Data Empty Dictionary DataV2",
        ["Data"] = "n n n n Statistics",
        ["Dictionary"] = "n n t",
        ["DataV2"] = "n n n n n n t Statistics",
    }.ToDictionary(shape => shape.Key, shape => shape.Value.Split(' ', StringSplitOptions.RemoveEmptyEntries));

    internal static string[] Fields(string shape) => Shapes[shape];

    /// <summary>Returns true if a value's type in Thrift's compact protocol is that of a field.</summary>
    internal static bool Fits(string field, int type) =>
        field switch
        {
            "-" => true,
            "n" => type is 4 or 5 or 6,
            "y" => type is 3,
            "t" => type is 1 or 2,
            "b" => type is 8,
            "d" => type is 7,
            _ => field[0] == '[' ? type is 9 or 10 : type is 12,
        };

    /// <summary>Items of a list.</summary>
    internal static string? Item(string field) => field[0] == '[' ? field[1..^1] : null;

    /// <summary>Structure of a field; of one that is not known any.</summary>
    internal static string Inner(string? field) => field is not null && Shapes.ContainsKey(field) ? field : "Unknown";
}
