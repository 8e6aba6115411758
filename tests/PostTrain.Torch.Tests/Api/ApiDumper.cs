using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;

namespace PostTrain.Torch.Tests.Api;

/// <summary>One line for each visible type and member (public, protected, protected internal): <c>declaring type | kind | signature</c>.</summary>
/// <remarks><c>T?</c> is Nullable of a value type; a reference type is marked ^ (annotated nullable), ! (annotated not null) or left bare (not annotated).</remarks>
internal sealed partial class ApiDumper
{
    private const BindingFlags Declared = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;
    private readonly NullabilityInfoContext nulls = new();

    private static readonly Dictionary<string, string> Keywords = new()
    {
        ["System.Void"] = "void",
        ["System.Object"] = "object",
        ["System.String"] = "string",
        ["System.Boolean"] = "bool",
        ["System.Char"] = "char",
        ["System.SByte"] = "sbyte",
        ["System.Byte"] = "byte",
        ["System.Int16"] = "short",
        ["System.UInt16"] = "ushort",
        ["System.Int32"] = "int",
        ["System.UInt32"] = "uint",
        ["System.Int64"] = "long",
        ["System.UInt64"] = "ulong",
        ["System.Single"] = "float",
        ["System.Double"] = "double",
        ["System.Decimal"] = "decimal",
        ["System.IntPtr"] = "nint",
        ["System.UIntPtr"] = "nuint",
    };

    private static readonly Dictionary<string, string> Operators = new()
    {
        ["op_Addition"] = "operator +",
        ["op_Subtraction"] = "operator -",
        ["op_Multiply"] = "operator *",
        ["op_Division"] = "operator /",
        ["op_Modulus"] = "operator %",
        ["op_UnaryNegation"] = "operator -",
        ["op_UnaryPlus"] = "operator +",
        ["op_LogicalNot"] = "operator !",
        ["op_OnesComplement"] = "operator ~",
        ["op_Increment"] = "operator ++",
        ["op_Decrement"] = "operator --",
        ["op_Equality"] = "operator ==",
        ["op_Inequality"] = "operator !=",
        ["op_LessThan"] = "operator <",
        ["op_LessThanOrEqual"] = "operator <=",
        ["op_GreaterThan"] = "operator >",
        ["op_GreaterThanOrEqual"] = "operator >=",
        ["op_BitwiseAnd"] = "operator &",
        ["op_BitwiseOr"] = "operator |",
        ["op_ExclusiveOr"] = "operator ^",
        ["op_LeftShift"] = "operator <<",
        ["op_RightShift"] = "operator >>",
        ["op_UnsignedRightShift"] = "operator >>>",
        ["op_True"] = "operator true",
        ["op_False"] = "operator false",
        ["op_Implicit"] = "implicit operator",
        ["op_Explicit"] = "explicit operator",
    };

    /// <summary>The lines of the given types, sorted; types that are not visible are passed over.</summary>
    internal static List<string> Lines(IEnumerable<Type> types) => new ApiDumper().Collect(types);

    private List<string> Collect(IEnumerable<Type> types)
    {
        var lines = new List<string>();
        foreach (var t in types)
        {
            if (!Visible(t)) continue;
            lines.Add(TypeLine(t));
            if (IsDelegate(t)) continue;
            foreach (var f in t.GetFields(Declared))
                if (Access(f) is { } access && !f.IsSpecialName) lines.Add(Field(t, f, access));
            foreach (var c in t.GetConstructors(Declared))
                if (!c.IsStatic && Access(c) is { } access) lines.Add(Ctor(t, c, access));
            foreach (var p in t.GetProperties(Declared))
                if (Property(t, p) is { } line) lines.Add(line);
            foreach (var e in t.GetEvents(Declared))
                if (Event(t, e) is { } line) lines.Add(line);
            foreach (var m in t.GetMethods(Declared))
                if (Access(m) is { } access && (!m.IsSpecialName || Operators.ContainsKey(m.Name)) && !m.Name.Contains('<') && !IsFinalizer(m))
                    lines.Add(Method(t, m, access));
        }
        lines.Sort(StringComparer.Ordinal);
        return [.. lines.Distinct()];
    }

    private string TypeLine(Type t)
    {
        var sb = new StringBuilder(Name(t, null, decl: true)).Append(" | type | ").Append(TypeAccess(t)).Append(' ');
        if (IsDelegate(t))
        {
            var inv = t.GetMethod("Invoke")!;
            return sb.Append("delegate ").Append(Ret(inv)).Append(' ').Append(Name(t, null, decl: true)).Append('(').Append(Params(inv, false)).Append(')').Append(Constraints(t.GetGenericArguments())).ToString();
        }
        string kind = t.IsEnum ? "enum" : t.IsInterface ? "interface" : t.IsValueType ? "struct" : "class";
        if (kind == "class") sb.Append(t.IsAbstract && t.IsSealed ? "static " : t.IsAbstract ? "abstract " : t.IsSealed ? "sealed " : "");
        if (kind == "struct") sb.Append(Has(t.GetCustomAttributesData(), "System.Runtime.CompilerServices.IsReadOnlyAttribute") ? "readonly " : "").Append(t.IsByRefLike ? "ref " : "");
        sb.Append(kind);
        var bases = new List<string>();
        if (t.IsEnum) bases.Add(Name(Enum.GetUnderlyingType(t), null));
        else
        {
            if (t.BaseType is { } b && b.FullName is not ("System.Object" or "System.ValueType")) bases.Add(Name(b, null));
            bases.AddRange(t.GetInterfaces().Where(i => Visible(i)).Select(i => Name(i, null)).OrderBy(s => s, StringComparer.Ordinal));
        }
        if (bases.Count > 0) sb.Append(" : ").Append(string.Join(", ", bases));
        return sb.Append(Constraints(OwnGenericArguments(t))).Append(Obsolete(t)).ToString();
    }

    private string Field(Type t, FieldInfo f, string access)
    {
        var sb = Start(t, "field", access);
        if (f.IsLiteral && t.IsEnum) return sb.Append(f.Name).Append(" = ").Append(Convert.ToString(f.GetRawConstantValue(), CultureInfo.InvariantCulture)).Append(Obsolete(f)).ToString();
        sb.Append(f.IsLiteral ? "const " : (f.IsStatic ? "static " : "") + (f.IsInitOnly ? "readonly " : ""));
        sb.Append(Ann(f.FieldType, nulls.Create(f), Tuples(f.GetCustomAttributesData()))).Append(' ').Append(f.Name);
        if (f.IsLiteral) sb.Append(" = ").Append(Literal(f.GetRawConstantValue(), f.FieldType));
        return sb.Append(Obsolete(f)).ToString();
    }

    private string Ctor(Type t, ConstructorInfo c, string access) =>
        Start(t, "ctor", access).Append(Simple(t)).Append('(').Append(Params(c, false)).Append(')').Append(Obsolete(c)).ToString();

    private string? Property(Type t, PropertyInfo p)
    {
        var g = p.GetGetMethod(true); var s = p.GetSetMethod(true);
        var ga = g == null ? null : Access(g); var sa = s == null ? null : Access(s);
        if (ga == null && sa == null) return null;
        var access = Wider(ga, sa); var m = ga == access ? g! : s!;
        var ix = p.GetIndexParameters();
        var sb = Start(t, ix.Length > 0 ? "indexer" : "property", t.IsInterface ? "" : access).Append(Modifiers(m));
        var ann = (ix.Length > 0 ? null : TryNull(() => nulls.Create(p))) ?? TryNull(() => nulls.Create(g?.ReturnParameter ?? s!.GetParameters()[^1]));
        sb.Append(p.PropertyType.IsByRef ? "ref " : "").Append(Ann(p.PropertyType, ann, Tuples(p.GetCustomAttributesData()))).Append(' ');
        sb.Append(ix.Length > 0 ? "this[" + string.Join(", ", ix.Select(Param)) + "]" : p.Name).Append(" { ");
        if (ga != null) sb.Append(ga == access ? "" : ga + " ").Append("get; ");
        if (sa != null)
        {
            bool init = s!.ReturnParameter.GetRequiredCustomModifiers().Any(x => x.FullName == "System.Runtime.CompilerServices.IsExternalInit");
            sb.Append(sa == access ? "" : sa + " ").Append(init ? "init; " : "set; ");
        }
        return sb.Append('}').Append(Obsolete(p)).ToString();
    }

    private string? Event(Type t, EventInfo e)
    {
        var add = e.GetAddMethod(true);
        if (add == null || Access(add) is not { } a) return null;
        return Start(t, "event", t.IsInterface ? "" : a).Append(Modifiers(add)).Append("event ").Append(Ann(e.EventHandlerType!, TryNull(() => nulls.Create(e)), null)).Append(' ').Append(e.Name).Append(Obsolete(e)).ToString();
    }

    private string Method(Type t, MethodInfo m, string access)
    {
        bool ext = m.IsDefined(typeof(ExtensionAttribute), false);
        var sb = Start(t, "method", t.IsInterface ? "" : access).Append(Modifiers(m)).Append(Ret(m)).Append(' ');
        sb.Append(Operators.TryGetValue(m.Name, out var op) ? op : m.Name);
        if (m.IsGenericMethodDefinition) sb.Append('<').Append(string.Join(", ", m.GetGenericArguments().Select(x => x.Name))).Append('>');
        sb.Append('(').Append(Params(m, ext)).Append(')');
        if (m.IsGenericMethodDefinition) sb.Append(Constraints(m.GetGenericArguments()));
        return sb.Append(Obsolete(m)).ToString();
    }

    private static StringBuilder Start(Type t, string kind, string access) => new StringBuilder(Name(t, null, decl: true)).Append(" | ").Append(kind).Append(" | ").Append(access).Append(access.Length > 0 ? " " : "");

    private static string Modifiers(MethodInfo m)
    {
        if (m.DeclaringType!.IsInterface) return m.IsStatic ? "static " : "";
        if (m.IsStatic) return "static ";
        if (!m.IsVirtual) return "";
        bool isOverride = m.GetBaseDefinition() != m;
        if (m.IsAbstract) return isOverride ? "abstract override " : "abstract ";
        if (isOverride) return m.IsFinal ? "sealed override " : "override ";
        return m.IsFinal ? "" : "virtual ";   // final and not an override: an interface's member, not virtual in C#
    }

    private string Ret(MethodInfo m)
    {
        var r = m.ReturnParameter;
        string by = m.ReturnType.IsByRef ? (r.GetRequiredCustomModifiers().Any(x => x.FullName == "System.Runtime.InteropServices.InAttribute") ? "ref readonly " : "ref ") : "";
        return by + Ann(m.ReturnType, TryNull(() => nulls.Create(r)), Tuples(r.GetCustomAttributesData()));
    }

    private string Params(MethodBase m, bool ext)
    {
        var s = string.Join(", ", m.GetParameters().Select(Param));
        return ext ? "this " + s : s;
    }

    private string Param(ParameterInfo p)
    {
        var t = p.ParameterType;
        var at = p.GetCustomAttributesData();
        var sb = new StringBuilder();
        if (Has(at, "System.ParamArrayAttribute") || Has(at, "System.Runtime.CompilerServices.ParamCollectionAttribute")) sb.Append("params ");
        if (t.IsByRef) sb.Append(p.IsOut ? "out " : Has(at, "System.Runtime.CompilerServices.IsReadOnlyAttribute") ? "in " : Has(at, "System.Runtime.CompilerServices.RequiresLocationAttribute") ? "ref readonly " : "ref ");
        sb.Append(Ann(t, TryNull(() => nulls.Create(p)), Tuples(at))).Append(' ').Append(p.Name);
        if (p.HasDefaultValue) sb.Append(" = ").Append(Literal(p.RawDefaultValue, t));
        else if (p.IsOptional) sb.Append(" = default");
        return sb.ToString();
    }

    private static string Literal(object? v, Type t)
    {
        var u = Nullable.GetUnderlyingType(t) ?? t;
        if (v is null or DBNull or Missing) return t.IsValueType && Nullable.GetUnderlyingType(t) == null ? "default" : "null";
        if (u.IsEnum)
        {
            var names = Enum.GetNames(u);
            var vals = Enum.GetValuesAsUnderlyingType(u);
            for (int i = 0; i < names.Length; i++) if (Convert.ToDecimal(vals.GetValue(i), CultureInfo.InvariantCulture) == Convert.ToDecimal(v is Enum ? Convert.ChangeType(v, Enum.GetUnderlyingType(u)) : v, CultureInfo.InvariantCulture)) return Simple(u) + "." + names[i];
            return "(" + Simple(u) + ")" + Convert.ToString(v, CultureInfo.InvariantCulture);
        }
        return v switch
        {
            string s => "\"" + s.Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("\n", "\\n").Replace("\r", "\\r").Replace("\t", "\\t") + "\"",
            bool b => b ? "true" : "false",
            char c => "'" + (c < 32 ? "\\u" + ((int)c).ToString("x4") : c.ToString()) + "'",
            float f => f.ToString("R", CultureInfo.InvariantCulture) + "f",
            double d => d.ToString("R", CultureInfo.InvariantCulture) + "d",
            _ => Convert.ToString(v, CultureInfo.InvariantCulture)!,
        };
    }
}
